import type { Call } from '../../src/wire/call.ts'
import { codecOf } from '../../src/wire/codec.ts'
import { decodeMessage } from '../../src/wire/decode-message.ts'
import {
  syncService,
  type AgentMessage,
  heartbeatContentType,
  type ServerMessage,
} from '../../src/wire/messages/sallyport-sync-v1.ts'
import type { WitSvidResponse, X509SvidResponse } from '../../src/wire/messages/spiffe-workload.ts'
import { decodeCertificate } from '../../src/x509/decode-certificate.ts'
import type { Connection } from '../../src/wire/call.ts'
import type { AuditEvent } from '../../server/audit/record.ts'
import type { Transaction } from '../../server/store/store.ts'
import type { AgentMachine } from './agent-machine.ts'
import { START_MS, type SimulatedProcess } from './machine.ts'
import { keyOf, matches, type ExpectedView } from './oracle.ts'
import type { SimulatedSystem } from './system.ts'
import { readIdentities, readWits, type GivenIdentities, type Workload } from './workload.ts'

const FOLLOW = '/sallyport.sync.v1.Sync/Follow'
const FETCH_X509 = '/SpiffeWorkloadAPI/FetchX509SVID'
const FETCH_WIT = '/SpiffeWorkloadAPI/FetchWITSVID'
/** Calls that only an agent in good standing may make. */
const AGENT_CALLS: ReadonlySet<string> = new Set([
  FOLLOW,
  '/spire.api.server.svid.v1.SVID/BatchNewX509SVID',
  '/spire.api.server.svid.v1.SVID/NewJWTSVID',
  '/spire.api.server.svid.v1.SVID/BatchNewWITSVID',
  '/spire.api.server.agent.v1.Agent/RenewAgent',
])
/** An agent that nothing has disturbed for so long is held to what connected agents must do. */
const CALM_MS = 60_000
/** How long a change may take to show at such an agent and its workloads. */
const SHOWS_WITHIN_MS = 30_000
/** A stream that does not deliver holds back an acknowledgement for so long. */
const DELIVERY_LIMIT_MS = 29_000
/** What was decided a moment ago may still be carried out. */
const UNDER_WAY_MS = 5_000
/** The tick of heartbeats, in which a stream may outlive the SVID that opened it. */
const STREAM_GRACE_MS = 6_000

/** The revision and, in a heartbeat, the server's time. */
interface Said {
  readonly revision: number
  readonly serverMs: number | undefined
}

/** Rules that hold at every moment of every run. Breaking one ends the run. */
export class Invariants {
  readonly #system: SimulatedSystem
  readonly #follow = codecOf(syncService, 'Follow')
  readonly #workloads = new Map<SimulatedProcess, Workload>()
  readonly #presentedUntil = new WeakMap<Connection, number>()
  readonly #presentedId = new WeakMap<Connection, string>()
  /** By agent id: how often it was let in by its token. */
  readonly #joined = new Map<string, number>()
  /** By key id of the signing key: when the last token of it ends. */
  readonly #tokenEnds = new Map<string, number>()
  /** Agents that an administrator was told to be banned or evicted, and when. */
  readonly #outcast = new Map<string, number>()
  #largestRevision = 0
  readonly #streamed = new WeakSet<SimulatedProcess>()

  constructor(system: SimulatedSystem) {
    this.#system = system
    for (const workload of system.workloads) this.#workloads.set(workload.process, workload)
    const { observer } = system.world
    observer.requestSent = (from, method, bytes) => method === FOLLOW && this.#agentSays(from, bytes)
    observer.responseArrived = (to, method, bytes) => method === FOLLOW && this.#serverSays(to, bytes)
    observer.responseSent = (to, call, message) => this.#sent(to, call, message)
    observer.callEnded = (to, call) => {
      const workload = call.method === FETCH_X509 ? this.#workloads.get(to) : undefined
      if (workload !== undefined) workload.lastSent = undefined
    }
    system.server.hooks = {
      beforeCommit: (transactions) => this.#beforeCommit(transactions),
      afterCommit: (committed) => this.#afterCommit(committed),
    }
  }

  /** After each event. */
  afterEvent(): void {
    for (const agent of this.#system.agents) {
      if (!agent.process.hasRun) continue
      agent.process.hasRun = false
      this.#checkHeld(agent)
      this.#checkFastLane(agent)
    }
  }

  /** Now and then. */
  tick(): void {
    const { oracle } = this.#system.world
    const calm = this.#system.agents.filter(
      (agent) => this.#system.calmMs(agent) > CALM_MS && oracle.agents.get(agent.identity)?.banned === false,
    )
    for (const agent of calm) this.#checkCalmAgent(agent)
    const calmWorkloads = this.#system.workloads.filter(({ agent }) => calm.includes(agent))
    for (const workload of calmWorkloads) this.#checkCalmWorkload(workload)
    this.#checkPeers(calmWorkloads)
  }

  /** An administrator was told that this agent has no rights any more. */
  outcast(agentId: string): void {
    this.#outcast.set(agentId, this.#now)
  }

  /** A workload was given this token. */
  tokenGiven(keyId: string, expiresAtMs: number): void {
    this.#tokenEnds.set(keyId, Math.max(this.#tokenEnds.get(keyId) ?? 0, expiresAtMs))
  }

  get #now(): number {
    return this.#system.world.time.nowMs
  }

  get #isServerCalm(): boolean {
    return this.#now - this.#system.server.disturbedMs > STREAM_GRACE_MS
  }

  #broken(what: string): void {
    this.#system.world.violation(what)
  }

  // What agents hold

  #checkHeld(agent: AgentMachine): void {
    const { running } = agent
    if (running === undefined) return
    const { entitlements, node } = running
    const { spiffeId } = node.identity ?? {}
    if (entitlements.sequence === agent.seenSequence && spiffeId === agent.seenIdentity) return
    agent.seenIdentity = spiffeId
    const identity = spiffeId?.toString() ?? ''
    if (identity !== agent.identity) {
      agent.identity = identity
      agent.acknowledged = 0
      agent.acknowledgedEntry = 0
      agent.reached = 0
    }
    agent.seenSequence = entitlements.sequence
    const key = keyOf(entitlements.entries.values(), entitlements.bundles.values())
    if (key === agent.heldKey || entitlements.entries.size === 0) {
      agent.heldKey = key
      return
    }
    agent.heldKey = key
    const { oracle } = this.#system.world
    const match = oracle.firstMatch(identity, key, agent.reached)
    if (match === undefined) {
      const isOld = oracle.firstMatch(identity, key, 0) !== undefined
      const now = oracle.viewAt(identity, oracle.revision)?.key ?? ''
      this.#system.world.trace.remark(`holds\n${key}\nand should hold\n${now}`)
      return this.#broken(
        isOld
          ? `${agent.name} went back behind revision ${agent.reached}`
          : `${agent.name} holds what it never should at any revision from ${agent.reached} to ${oracle.revision}`,
      )
    }
    agent.reached = match
    agent.lastChangeMs = this.#now
  }

  /** What is acknowledged is there, without a gap, also after a crash at any write (SE-40). */
  #checkFastLane(agent: AgentMachine): void {
    const { fastLane, keys } = agent.running?.policy.state ?? {}
    if (fastLane === undefined || fastLane === this.#seenFastLane.get(agent)) return
    this.#seenFastLane.set(agent, fastLane)
    agent.lastEntryMs = this.#now
    const from = fastLane.snapshot?.sequence ?? 0
    const isWhole = fastLane.entries.every(({ sequence }, index) => sequence === from + index + 1)
    if (!isWhole) this.#broken(`${agent.name} has a gap in the fast lane`)
    // Whoever is another agent now has forgotten everything, and its keys first.
    if (keys !== undefined && fastLane.sequence < agent.acknowledgedEntry) {
      this.#broken(`${agent.name} has lost entry ${agent.acknowledgedEntry}: it is at ${fastLane.sequence}`)
    }
  }
  readonly #seenFastLane = new WeakMap<AgentMachine, object>()

  #checkCalmAgent(agent: AgentMachine): void {
    const { oracle, time } = this.#system.world
    const { running } = agent
    if (running === undefined) return
    const record = oracle.agents.get(agent.identity)
    if (record === undefined || record.banned || this.#system.isLost(agent)) return
    if (!running.status.isInSync)
      return this.#broken(`${agent.name} is ${running.status.state} though nothing is wrong`)
    const due = oracle.viewAt(agent.identity, oracle.revisionAt(time.nowMs - SHOWS_WITHIN_MS))
    if (due === undefined) return
    const match = oracle.firstMatch(agent.identity, agent.heldKey, due.revision)
    if (match === undefined) this.#broken(`${agent.name} has not heard of revision ${due.revision}`)
    if (running.policy.refused !== '') this.#broken(`${agent.name} refuses policy: ${running.policy.refused}`)
    const said = oracle.viewAt(agent.identity, oracle.revisionAt(time.nowMs - CALM_MS))
    if (said !== undefined && agent.acknowledged < said.revision) {
      this.#broken(`${agent.name} has acknowledged ${agent.acknowledged}, not ${said.revision}`)
    }
  }

  // The push stream

  #agentOf(process: SimulatedProcess): AgentMachine | undefined {
    return this.#system.agents.find((agent) => agent.process === process)
  }

  #agentSays(from: SimulatedProcess, bytes: Buffer): void {
    const agent = this.#agentOf(from)
    if (agent === undefined) return
    const { hello, ack } = this.#follow.decodeRequest(bytes) as AgentMessage
    const heldEntry = hello?.policy?.fastLaneSequence
    if (hello) {
      // The first stream of a process starts from what was saved; later ones are opened beside those that still bring news.
      if (!this.#streamed.has(from) && hello.revision < agent.acknowledged) {
        this.#broken(`${agent.name} has lost revision ${agent.acknowledged}: it resumes from ${hello.revision}`)
      }
      if (!this.#streamed.has(from) && (heldEntry ?? 0) < agent.acknowledgedEntry) {
        this.#broken(`${agent.name} has lost entry ${agent.acknowledgedEntry}: it resumes from ${heldEntry}`)
      }
      this.#streamed.add(from)
    }
    // A hello is as good as an acknowledgement.
    const entry = heldEntry ?? ack?.policy?.fastLaneSequence ?? 0
    if (entry > this.#system.world.oracle.fastLaneSequence) {
      this.#broken(`${agent.name} acknowledges entry ${entry}, which is not committed`)
    }
    agent.acknowledgedEntry = Math.max(agent.acknowledgedEntry, entry)
    this.#checkWithdrawn(agent, ack?.policy?.fastLaneSequence ?? 0)
    if (!ack) return
    if (ack.revision > this.#largestRevision)
      this.#broken(`${agent.name} acknowledges ${ack.revision}, which nobody told`)
    this.#checkDelivered(agent, ack.revision)
    agent.acknowledged = Math.max(agent.acknowledged, ack.revision)
  }

  /** What is acknowledged has been written to every stream that it concerned. */
  #checkDelivered(agent: AgentMachine, revision: number): void {
    if (this.#now - agent.lastChangeMs > DELIVERY_LIMIT_MS) return
    const views = this.#viewsFrom(agent, revision)
    for (const workload of this.#system.workloads) {
      if (workload.agent !== agent || workload.lastSent?.by !== agent.process || views.length === 0) continue
      const lastSent = workload.lastSent.given
      for (const { spiffeId } of lastSent.svids) {
        if (views.some((view) => this.#isMatched(view, spiffeId, workload))) continue
        this.#broken(`${agent.name} acknowledges ${revision} while ${workload.name} still has ${spiffeId}`)
      }
      const [{ bundle } = { bundle: undefined }] = views
      for (const { certificate } of bundle?.x509Authorities ?? []) {
        const id = certificate.subjectKeyId?.toString('hex') ?? ''
        const isStillThere = views.every((view) => hasAuthority(view, id))
        if (isStillThere && !lastSent.authorityIds.has(id)) {
          this.#broken(
            `${agent.name} acknowledges ${revision} while ${workload.name} lacks authority ${id.slice(0, 8)}`,
          )
        }
      }
    }
  }

  /** Once a quarantine is acknowledged no stream has what it withholds (§3.11). */
  #checkWithdrawn(agent: AgentMachine, acknowledged: number): void {
    const { oracle } = this.#system.world
    const heard = agent.running?.policy.state.fastLane.sequence ?? 0
    if (this.#now - agent.lastEntryMs > DELIVERY_LIMIT_MS) return
    const states = oracle.quarantinedSince(0).filter(({ sequence }) => sequence > acknowledged && sequence <= heard)
    const withheld = [oracle.quarantinedAt(acknowledged), ...states.map(({ ids }) => ids)]
    for (const { agent: own, lastSent, name } of this.#system.workloads) {
      if (own !== agent || lastSent?.by !== agent.process) continue
      const kept = lastSent.given.svids.find(({ spiffeId }) => withheld.every((ids) => ids.has(spiffeId)))
      if (kept === undefined) continue
      this.#broken(`${agent.name} acknowledges entry ${acknowledged} while ${name} still has ${kept.spiffeId}`)
    }
  }

  /** The views that are right from a revision on. */
  #viewsFrom(agent: AgentMachine, revision: number): readonly ExpectedView[] {
    const { oracle } = this.#system.world
    const first = oracle.viewAt(agent.identity, revision)
    if (first === undefined) return []
    return oracle.historyOf(agent.identity).filter((view) => view.revision >= first.revision)
  }

  #isMatched(view: ExpectedView, spiffeId: string, { selectors }: Workload): boolean {
    return view.entries
      .values()
      .some((entry) => entry.spiffeId.toString() === spiffeId && matches(entry.selectors, selectors))
  }

  #serverSays(to: SimulatedProcess, bytes: Buffer): void {
    const agent = this.#agentOf(to)
    if (agent === undefined) return
    const { oracle } = this.#system.world
    const { revision, serverMs } = this.#saidIn(bytes)
    this.#largestRevision = Math.max(this.#largestRevision, revision)
    if (revision > oracle.revision) this.#broken(`the server tells of revision ${revision}, which is not committed`)
    if (serverMs !== undefined) agent.floor = { serverMs, atMs: this.#now }
  }

  /** What a message tells; a heartbeat is the same bytes for all agents. */
  #saidIn(bytes: Buffer): Said {
    let said = this.#said.get(bytes)
    if (said === undefined) {
      const { snapshot, delta, heartbeat } = this.#follow.decodeResponse(bytes) as ServerMessage
      const content = heartbeat ? decodeMessage(heartbeatContentType, heartbeat.content) : undefined
      const revision = snapshot?.revision ?? delta?.to ?? content?.revision ?? 0
      this.#said.set(bytes, (said = { revision, serverMs: content?.serverTimeMs }))
    }
    return said
  }
  readonly #said = new WeakMap<Buffer, Said>()

  // What is handed out

  #sent(to: SimulatedProcess, call: Call, message: object): void {
    if (call.method === FETCH_X509) {
      const workload = this.#workloads.get(to)
      if (workload !== undefined) this.#checkGiven(workload, message as X509SvidResponse)
    } else if (call.method === FETCH_WIT) {
      const workload = this.#workloads.get(to)
      if (workload !== undefined) this.#checkGivenWits(workload, message as WitSvidResponse)
    } else if (AGENT_CALLS.has(call.method)) this.#checkServed(call)
  }

  #checkGiven(workload: Workload, message: X509SvidResponse): void {
    const { agent } = workload
    const given = readIdentities(message, this.#now)
    workload.lastSent = { by: agent.process, given }
    const held = agent.running?.entitlements.entries
    const heard = agent.running?.policy.state.fastLane.sequence ?? 0
    const quarantined = this.#system.world.oracle.quarantinedAt(heard)
    for (const svid of given.svids) {
      if (quarantined.has(svid.spiffeId)) {
        this.#broken(`${workload.name} is given ${svid.spiffeId}, which is in quarantine by entry ${heard}`)
      }
      if (svid.notAfterMs <= agent.process.wallMs || svid.notAfterMs <= this.#floorOf(agent)) {
        this.#broken(`${workload.name} is given ${svid.spiffeId}, which has expired`)
      }
      const isEntitled = held
        ?.values()
        .some((entry) => entry.spiffeId.toString() === svid.spiffeId && matches(entry.selectors, workload.selectors))
      if (held !== undefined && isEntitled !== true) {
        this.#broken(`${workload.name} is given ${svid.spiffeId}, to which it is not entitled`)
      }
      if (svid.chain[0]?.uriSans[0] !== svid.spiffeId) this.#broken(`${workload.name} is given a wrong certificate`)
      if (!given.authorityIds.has(svid.authorityId)) {
        this.#broken(`${workload.name} is given ${svid.spiffeId} without the authority that verifies it`)
      }
    }
  }

  /** A WIT-SVID is for whom it is given to, valid, and verified by the bundle that the same agent gives. */
  #checkGivenWits(workload: Workload, message: WitSvidResponse): void {
    const { agent } = workload
    const { entries, ownBundle } = agent.running?.entitlements ?? {}
    const heard = agent.running?.policy.state.fastLane.sequence ?? 0
    const quarantined = this.#system.world.oracle.quarantinedAt(heard)
    for (const { spiffeId, keyId, expiresMs } of readWits(message)) {
      const what = `${workload.name} is given a WIT-SVID of ${spiffeId}`
      this.tokenGiven(keyId, expiresMs)
      if (quarantined.has(spiffeId)) this.#broken(`${what}, which is in quarantine by entry ${heard}`)
      if (expiresMs <= agent.process.wallMs || expiresMs <= this.#floorOf(agent))
        this.#broken(`${what} that has expired`)
      const isEntitled = entries
        ?.values()
        .some((entry) => entry.spiffeId.toString() === spiffeId && matches(entry.selectors, workload.selectors))
      if (entries !== undefined && isEntitled !== true) this.#broken(`${what}, to which it is not entitled`)
      if (ownBundle !== undefined && !ownBundle.witAuthorities.some((one) => one.keyId === keyId)) {
        this.#broken(`${what} whose key its agent does not publish`)
      }
    }
  }

  /** The least that the server's time can be, as the agent has been told in this life. */
  #floorOf({ floor, running }: AgentMachine): number {
    return floor === undefined || running === undefined ? 0 : floor.serverMs + (this.#now - floor.atMs)
  }

  #checkServed(call: Call): void {
    const { connection } = call
    if (connection.transport !== 'tls') return
    let until = this.#presentedUntil.get(connection)
    if (until === undefined) {
      const chain = (connection.presentedChain ?? []).map((der) => decodeCertificate(der))
      this.#presentedUntil.set(connection, (until = Math.min(...chain.map(({ notAfter }) => notAfter.getTime()))))
      this.#presentedId.set(connection, chain[0]?.uriSans[0] ?? '')
    }
    const agentId = this.#presentedId.get(connection) ?? ''
    const outcastMs = this.#outcast.get(agentId)
    if (outcastMs !== undefined && this.#now - outcastMs > STREAM_GRACE_MS && this.#isServerCalm) {
      this.#broken(`${call.method} is served to ${agentId}, which is outcast`)
    }
    const lateMs = this.#system.server.process.wallMs - until
    if (lateMs > STREAM_GRACE_MS && this.#isServerCalm) {
      this.#broken(`${call.method} is served to an agent whose SVID ended ${lateMs} ms ago`)
    }
  }

  // What the server records

  #beforeCommit(transactions: readonly Transaction[]): void {
    for (const { audit, mutations } of transactions) {
      for (const event of audit) this.#audited(event)
      for (const mutation of mutations) {
        if (mutation.kind === 'bundle.put') this.#checkRemovals(mutation.bundle)
      }
    }
  }

  #audited({ type, facts }: AuditEvent): void {
    if (type === 'x509-svid.issued' && facts['purpose'] === 'workload') this.#checkIssued(facts)
    if (type === 'jwt-svid.issued' && facts['entryId'] !== undefined) this.#checkIssued(facts)
    if (type === 'wit-svid.issued' && facts['entryId'] !== undefined) this.#checkIssued(facts)
    if (type === 'authority.activated' && facts['kind'] !== 'jwt') this.#checkActivation(facts)
  }

  #afterCommit(committed: readonly Transaction[]): void {
    for (const { type, facts } of committed.flatMap(({ audit }) => audit)) {
      if (type !== 'agent.attested') continue
      const id = String(facts['spiffeId'])
      this.#joined.set(id, (this.#joined.get(id) ?? 0) + 1)
      if (this.#joined.get(id) === 2) this.#broken(`${id} joined twice with one token`)
    }
  }

  #checkIssued(facts: AuditEvent['facts']): void {
    const { oracle } = this.#system.world
    const agentId = String(facts['agentId'] ?? facts['callerId'])
    const entryId = String(facts['entryId'])
    const since = Math.min(this.#now - UNDER_WAY_MS, this.#system.server.disturbedMs)
    const recently = this.#now - this.#system.server.disturbedMs < UNDER_WAY_MS ? since : this.#now - UNDER_WAY_MS
    const views = oracle.viewsSince(agentId, recently)
    if (!views.some(({ entries }) => entries.has(entryId))) {
      this.#broken(`an SVID of entry ${entryId} is signed for ${agentId}, which is not entitled to it`)
    }
    const spiffeId = String(facts['spiffeId'])
    if (oracle.quarantinedSince(recently).every(({ ids }) => ids.has(spiffeId)))
      this.#broken(`an SVID of ${spiffeId} is signed, which is in quarantine`)
    const outcastMs = this.#outcast.get(agentId)
    if (outcastMs !== undefined && outcastMs < recently)
      this.#broken(`an SVID is signed for ${agentId}, which is outcast`)
  }

  /** An authority signs only once everybody who is connected can verify what it signs. */
  #checkActivation(facts: AuditEvent['facts']): void {
    const { oracle } = this.#system.world
    const id = String(facts['authorityId'])
    const wallMs = this.#system.server.process.wallMs
    const couldSign = oracle.authorities
      .values()
      .some((row) => row.kind === facts['kind'] && row.state === 'active' && row.notAfter.getTime() > wallMs)
    // Where nothing could sign there is nobody to wait for.
    if (!couldSign) return
    for (const agent of this.#system.agents) {
      const record = oracle.agents.get(agent.identity)
      if (record === undefined || record.banned || this.#system.calmMs(agent) < CALM_MS) continue
      if (!agentHas(agent, id)) this.#broken(`authority ${id.slice(0, 8)} is activated before ${agent.name} has it`)
      const missing = facts['missingAgents']
      if (Array.isArray(missing) && missing.includes(agent.identity)) {
        this.#broken(`authority ${id.slice(0, 8)} is activated without ${agent.name}, which is connected`)
      }
    }
  }

  /** An authority goes only when nothing valid needs it. */
  #checkRemovals(next: NonNullable<ExpectedView['bundle']>): void {
    const { oracle } = this.#system.world
    const { ownBundle } = oracle
    if (ownBundle === undefined || !next.trustDomain.equals(ownBundle.trustDomain)) return
    const kept = new Set(next.x509Authorities.map(({ certificate }) => certificate.subjectKeyId?.toString('hex')))
    const wallMs = this.#system.server.process.wallMs
    for (const { certificate } of ownBundle.x509Authorities) {
      const id = certificate.subjectKeyId?.toString('hex') ?? ''
      if (kept.has(id)) continue
      const holder = this.#system.workloads.find(({ current }) => hasLive(current, id, wallMs))
      if (holder !== undefined) this.#broken(`authority ${id.slice(0, 8)} is removed while ${holder.name} needs it`)
    }
    for (const kind of ['jwtAuthorities', 'witAuthorities'] as const) {
      const keptKeys = new Set(next[kind].map(({ keyId }) => keyId))
      for (const { keyId } of ownBundle[kind]) {
        const ends = this.#tokenEnds.get(keyId) ?? 0
        if (!keptKeys.has(keyId) && ends > wallMs)
          this.#broken(`key ${keyId.slice(0, 8)} of ${kind} is removed while tokens need it`)
      }
    }
  }

  // What workloads have

  #checkCalmWorkload(workload: Workload): void {
    const { oracle, time } = this.#system.world
    const { agent, current } = workload
    const record = oracle.agents.get(agent.identity)
    if (record === undefined || record.banned || this.#system.isLost(agent)) return
    // It is about to be told again what it had.
    if (time.nowMs - workload.reopenedMs < SHOWS_WITHIN_MS) return
    const views = oracle.viewsSince(agent.identity, time.nowMs - SHOWS_WITHIN_MS)
    const withheld = oracle.quarantinedSince(time.nowMs - SHOWS_WITHIN_MS)
    const wanted = views.flatMap((view) => withheld.map(({ ids }) => identitiesOf(view, workload, ids)))
    const has = workload.streamSinceMs === undefined ? '' : printIdentities(current)
    if (agent.witSvid) {
      const wantedWits = views.flatMap((view) => withheld.map(({ ids }) => witIdsOf(view, workload, ids)))
      const wits = printWits(workload)
      if (!wantedWits.includes(wits)) {
        this.#broken(`${workload.name} has WIT-SVIDs of "${wits}" and should have "${wantedWits.at(-1)}"`)
      }
      if (workload.witStreamSinceMs !== undefined && workload.wits.some((one) => one.expiresMs <= agent.process.wallMs))
        this.#broken(`${workload.name} is left with a WIT-SVID that has expired`)
    }
    if (wanted.includes(has)) {
      const wallMs = agent.process.wallMs
      const isExpired = has !== '' && current?.svids.some(({ notAfterMs }) => notAfterMs <= wallMs)
      if (isExpired === true) this.#broken(`${workload.name} is left with an SVID that has expired`)
      return
    }
    this.#broken(`${workload.name} has "${has}" and should have "${wanted.at(-1)}" (${workload.lastRefusal})`)
  }

  /** Whoever is connected can verify what anybody else who is connected may show. */
  #checkPeers(workloads: readonly Workload[]): void {
    const wallMs = START_MS + this.#now + this.#system.server.wall.offsetMs
    const used = new Map<string, Workload>()
    for (const workload of workloads) {
      const used = workload.witStreamSinceMs === undefined ? [] : workload.wits
      for (const { keyId } of used.filter(({ expiresMs }) => expiresMs > wallMs)) {
        const blind = workloads.find(({ agent }) => agent.running !== undefined && !agentHas(agent, keyId))
        if (blind !== undefined) this.#broken(`${blind.name} cannot verify the WIT-SVID of ${workload.name}`)
      }
    }
    const open = workloads.filter((one) => one.streamSinceMs !== undefined && one.current !== undefined)
    for (const workload of open) {
      for (const svid of workload.current?.svids ?? [])
        if (svid.notAfterMs > wallMs) used.set(svid.authorityId, workload)
    }
    for (const workload of open) {
      for (const [id, other] of used) {
        if (workload.current?.authorityIds.has(id) === true) continue
        this.#broken(`${workload.name} cannot verify ${other.name}: it lacks authority ${id.slice(0, 8)}`)
      }
    }
  }
}

/** Whether an agent holds the authority of that id, whatever it signs. */
function agentHas({ running }: AgentMachine, id: string): boolean {
  const bundle = running?.entitlements.ownBundle
  return (
    bundle?.x509Authorities.some(({ certificate }) => certificate.subjectKeyId?.toString('hex') === id) === true ||
    bundle?.witAuthorities.some(({ keyId }) => keyId === id) === true
  )
}

const hasAuthority = ({ bundle }: ExpectedView, id: string): boolean =>
  bundle?.x509Authorities.some(({ certificate }) => certificate.subjectKeyId?.toString('hex') === id) ?? false

const hasLive = (current: GivenIdentities | undefined, authorityId: string, wallMs: number): boolean =>
  current?.svids.some((svid) => svid.authorityId === authorityId && svid.notAfterMs > wallMs) ?? false

/** What a workload should have, in words that say which state of each entry it was signed for. */
export function identitiesOf(view: ExpectedView, { selectors }: Workload, quarantined: ReadonlySet<string>): string {
  return [...view.entries.values()]
    .filter((entry) => matches(entry.selectors, selectors) && !quarantined.has(entry.spiffeId.toString()))
    .map(({ spiffeId, dnsNames }) => `${spiffeId} ${dnsNames.join(',')}`)
    .toSorted()
    .join('; ')
}

export function printIdentities(given: GivenIdentities | undefined): string {
  return (given?.svids ?? [])
    .map(({ spiffeId, chain }) => `${spiffeId} ${chain[0]?.dnsSans.join(',')}`)
    .toSorted()
    .join('; ')
}

/** Whose WIT-SVIDs a workload should have. */
export const witIdsOf = (view: ExpectedView, { selectors }: Workload, quarantined: ReadonlySet<string>): string =>
  [...view.entries.values()]
    .filter((entry) => matches(entry.selectors, selectors) && !quarantined.has(entry.spiffeId.toString()))
    .map(({ spiffeId }) => spiffeId.toString())
    .toSorted()
    .join('; ')

export const printWits = ({ wits, witStreamSinceMs }: Workload): string =>
  (witStreamSinceMs === undefined ? [] : wits)
    .map(({ spiffeId }) => spiffeId)
    .toSorted()
    .join('; ')
