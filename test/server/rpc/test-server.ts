import { randomBytes } from 'node:crypto'
import type { AgentCaller, Caller } from '../../../server/access/caller.ts'
import { nodeAttestors } from '../../../server/attest/catalog.ts'
import { X509POP_DEFAULTS } from '../../../server/attest/x509pop.ts'
import { openAuthorities } from '../../../server/authority/authorities.ts'
import { createIssuer } from '../../../server/authority/issuer.ts'
import { Directory } from '../../../server/entries/directory.ts'
import { memoryKeyStore } from '../../../server/keys/memory-key-store.ts'
import { adminHandlers } from '../../../server/rpc/admin.ts'
import { agentHandlers } from '../../../server/rpc/agent.ts'
import { bundleHandlers } from '../../../server/rpc/bundle.ts'
import { decisionsHandlers } from '../../../server/rpc/decisions.ts'
import { entryHandlers } from '../../../server/rpc/entry.ts'
import { Groups } from '../../../server/lifecycle/groups.ts'
import { APPROVAL_LIMITS } from '../../../server/lifecycle/approval-limits.ts'
import { openPolicy } from '../../../server/policy/open-policy.ts'
import type { SecondSigner } from '../../../server/policy/policy-keys.ts'
import { lifecycleHandlers } from '../../../server/rpc/lifecycle.ts'
import { policiesHandlers } from '../../../server/rpc/policies.ts'
import { ZoneRights } from '../../../server/rpc/zone-rights.ts'
import { registrationsHandlers } from '../../../server/rpc/registrations.ts'
import type { RpcDeps } from '../../../server/rpc/rpc-deps.ts'
import { svidHandlers } from '../../../server/rpc/svid.ts'
import { Turns } from '../../../server/rpc/turns.ts'
import type { AttestedAgent, Transaction } from '../../../server/store/store.ts'
import type { Refusal } from '../../../server/audit/refusal-events.ts'
import type { StoredAuditRecord } from '../../../server/audit/record.ts'
import type { Clock } from '../../../src/clock.ts'
import type { Selector } from '../../../src/entry/selector.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import type { KeyPair } from '../../../src/key/cryptography.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import type { LogFields } from '../../../src/log/fields.ts'
import { silentLog } from '../../../src/log/log.ts'
import type { Call } from '../../../src/wire/call.ts'
import type { Entry } from '../../../src/wire/messages/spire-api-types.ts'
import type { AttestAgentRequest } from '../../../src/wire/messages/spire-api-server-agent-v1.ts'
import type { Certificate } from '../../../src/x509/certificate.ts'
import { encodeCsr } from '../../../src/x509/encode-csr.ts'
import { doing } from '../../fakes/store-objects.ts'
import { MemoryStore } from '../../fakes/memory-store.ts'
import { issuerConfig } from '../authority/authority-world.ts'

export const trustDomain = TrustDomain.parse('example.org')
export const START = new Date('2026-01-01T00:00:00Z')

/** The handlers of a server on a memory store, with a clock that stands until it is moved. */
export type TestServer = Awaited<ReturnType<typeof testServer>>

export interface TestServerOptions {
  readonly x509popAuthorities?: readonly Certificate[]
  readonly secondSigners?: readonly SecondSigner[]
  /** Zones by the id of an administrator who is bound to them. */
  readonly admins?: Readonly<Record<string, readonly string[]>>
  readonly groups?: Readonly<Record<string, readonly string[]>>
  /** Whether WIT-SVIDs are turned on. */
  readonly wit?: boolean
}

export async function testServer(options: TestServerOptions = {}) {
  let now = START
  const timers = new Set<() => void>()
  const clock: Clock = {
    now: () => now,
    monotonicMs: () => now.getTime(),
    async sleep(_ms, signal) {
      await new Promise((resolve) => setImmediate(resolve))
      signal?.throwIfAborted()
    },
    timer(_ms, action) {
      timers.add(action)
      return { [Symbol.dispose]: () => timers.delete(action) }
    },
  }
  const alarms: (LogFields & { readonly sentence: string })[] = []
  const log = {
    ...silentLog,
    error: (fields: LogFields, sentence: string) => void alarms.push({ ...fields, sentence }),
  }
  const store = new MemoryStore({ clock })
  const directory = await Directory.open({ store, trustDomain, clock, log })
  const authorities = await openAuthorities({
    trustDomain,
    serverId: 'server',
    store,
    clock,
    log,
    random: randomBytes,
    keys: memoryKeyStore(cryptography),
    acknowledgements: { missing: () => [] },
    config: {
      x509: {
        keyType: 'ec-p256',
        ttlSeconds: 7 * 86400,
        subject: {
          organization: 'Test',
          commonName: 'CA',
        },
      },
      jwt: {
        keyType: 'ec-p256',
        ttlSeconds: 7 * 86400,
      },
      wit: options.wit ? { keyType: 'ec-p256', ttlSeconds: 7 * 86400, longestSvidSeconds: 3600 } : undefined,
      longestX509SvidSeconds: 3600,
      longestJwtSvidSeconds: 300,
      refreshHintSeconds: 300,
      clockSettleSeconds: 1,
    },
  })
  await directory.reached(store.revision)
  const keys = memoryKeyStore(cryptography)
  const secondSigners = options.secondSigners ?? []
  const policyParts = await openPolicy({
    ...{
      store,
      keys,
      directory,
      trustDomain,
      clock,
      cryptography,
      random: randomBytes,
      log,
      secondSigners,
      admins: [],
    },
  })
  const stop = new AbortController()
  const followed = policyParts.book.run(stop.signal)
  const groups = new Groups(options.groups ?? {})
  const { book, fastLane } = policyParts
  const approvals = APPROVAL_LIMITS
  const lifecycle = { store, directory, book, fastLane, groups, approvals, clock, random: randomBytes }
  const issuer = createIssuer({
    authorities,
    store,
    clock,
    cryptography,
    random: randomBytes,
    gate: policyParts.gate,
    config: { ...issuerConfig, caTtlSeconds: 86400 },
  })
  const callers = new WeakMap<Call, Caller>()
  const polled: string[] = []
  const unheard: SpiffeId[] = []
  const refused: Refusal[] = []
  const callerOf = (call: Call): Caller => {
    const caller = callers.get(call)
    if (caller === undefined) throw new Error('a call of nobody')
    return caller
  }
  const zonesByAdmin = new Map(Object.entries(options.admins ?? {}).map(([id, zones]) => [id, new Set(zones)]))
  const privilegedIds = new Set(zonesByAdmin.keys())
  const zoneRights = new ZoneRights({ zonesByAdmin, privilegedIds, callerOf, directory, book })
  const deps: RpcDeps = {
    trustDomain,
    store,
    directory,
    ...policyParts,
    secondSigners,
    lifecycle,
    authorities,
    issuer,
    clock,
    cryptography,
    random: randomBytes,
    log,
    attestors: nodeAttestors({
      trustDomain,
      store,
      directory,
      clock,
      log,
      cryptography,
      random: randomBytes,
      rejoinWindowMs: 30 * 864e5,
      x509pop: {
        ...X509POP_DEFAULTS,
        authorities: () => options.x509popAuthorities ?? [],
      },
    }),
    callerOf,
    zoneRights,
    spendSignatures: async () => undefined,
    refusals: { refused: (refusal) => void refused.push(refusal) },
    fleet: {
      statuses: () => [],
      unheard: () => unheard,
      polledBundle: (id, sequence) => void polled.push(`${id.toString()} ${sequence}`),
    },
    isReady: () => true,
    version: '0.1.0',
    startedAt: START,
    address: () => 'server.test:8081',
  }
  const federation = new Turns()
  const callBy = (caller: Caller, address = '192.0.2.1'): Call => {
    const call: Call = {
      connection: {
        transport: 'tls',
        id: 'c',
        address,
        presentedChain: undefined,
        closed: new AbortController().signal,
      },
      metadata: new Map(),
      signal: new AbortController().signal,
      requestId: 'r',
      method: '/test/Test',
    }
    callers.set(call, caller)
    return call
  }
  const entries = entryHandlers(deps, federation) as Required<ReturnType<typeof entryHandlers>>
  const local = (): Call => callBy({ kind: 'local', uid: 0, pid: 1 })
  /** Directory and book show it when it resolves. */
  const commit = async (transaction: Transaction): Promise<void> => {
    const outcome = await store.commit(transaction)
    if (!outcome.ok) throw new Error(outcome.reason)
    await directory.reached(outcome.revision)
    await book.reached(outcome.revision)
  }
  return {
    deps,
    store,
    directory,
    authorities,
    clock,
    alarms,
    polled,
    unheard,
    refused,
    callBy,
    agents: agentHandlers(deps) as Required<ReturnType<typeof agentHandlers>>,
    entries,
    bundles: bundleHandlers(deps, federation) as Required<ReturnType<typeof bundleHandlers>>,
    svids: svidHandlers(deps) as Required<ReturnType<typeof svidHandlers>>,
    admin: adminHandlers(deps) as Required<ReturnType<typeof adminHandlers>>,
    policies: policiesHandlers(deps) as Required<ReturnType<typeof policiesHandlers>>,
    lifecycle: lifecycleHandlers(deps) as Required<ReturnType<typeof lifecycleHandlers>>,
    decisions: decisionsHandlers(deps) as Required<ReturnType<typeof decisionsHandlers>>,
    registrations: registrationsHandlers(deps, federation) as Required<ReturnType<typeof registrationsHandlers>>,
    book,
    commit,
    gate: policyParts.gate,
    local,
    anyone: (address?: string) =>
      callBy(
        {
          kind: 'anyone',
          address: address ?? '192.0.2.1',
        },
        address,
      ),
    asAgent(spiffeId: SpiffeId): Call {
      const agent = directory.agent(spiffeId)
      if (agent === undefined) throw new Error('no such agent')
      return callBy(agentCaller(agent))
    },
    advance(ms: number) {
      now = new Date(now.getTime() + ms)
    },
    fireTimers() {
      for (const timer of timers) timer()
    },
    async addAgent(path: string, changes: Partial<AttestedAgent> = {}): Promise<SpiffeId> {
      const agent = agentRecord(path, changes)
      await commit(doing({ kind: 'agent.put', agent }))
      return agent.spiffeId
    },
    /** The id of a new entry. */
    async created(entry: Entry): Promise<string> {
      const { results } = await entries.batchCreateEntry({ entries: [entry], outputMask: null }, local())
      return results?.[0]?.entry?.id ?? ''
    },
    async audit(): Promise<StoredAuditRecord[]> {
      return Array.fromAsync(store.audit({}))
    },
    async [Symbol.asyncDispose]() {
      stop.abort()
      await followed
      await directory[Symbol.asyncDispose]()
    },
  }
}

export const agentCaller = (agent: AttestedAgent): AgentCaller => ({
  kind: 'agent',
  spiffeId: agent.spiffeId,
  agent,
  serialNumber: agent.serialNumber,
  expiresAt: agent.expiresAt,
  address: '192.0.2.1',
  roles: [],
})

export function agentRecord(path: string, changes: Partial<AttestedAgent> = {}): AttestedAgent {
  return {
    spiffeId: SpiffeId.of(trustDomain, `/spire/agent/${path}`),
    attestationType: 'join_token',
    serialNumber: '1',
    pendingSerialNumber: undefined,
    pendingExpiresAt: undefined,
    expiresAt: new Date(START.getTime() + 36e5),
    selectors: [],
    banned: false,
    canReattest: false,
    version: '',
    attestedAt: START,
    keyHashes: [],
    revisionNumber: 0,
    ...changes,
  }
}

export const idMessage = (path: string, name = 'example.org') => ({ trustDomain: name, path })

/** An entry as a client sends it. */
export function entryMessage(path: string, parent: string, changes: Partial<Entry> = {}): Entry {
  return {
    id: '',
    spiffeId: idMessage(path),
    parentId: idMessage(parent),
    selectors: [
      {
        type: 'unix',
        value: 'uid:1000',
      },
    ],
    x509SvidTtl: 0,
    federatesWith: [],
    admin: false,
    downstream: false,
    expiresAt: 0,
    dnsNames: [],
    revisionNumber: 0,
    storeSvid: false,
    jwtSvidTtl: 0,
    hint: '',
    createdAt: 0,
    additionalAttributes: undefined,
    ...changes,
  }
}

export const selectorsOf = (...texts: readonly string[]): Selector[] =>
  texts.map((text) => ({ type: text.slice(0, text.indexOf(':')), value: text.slice(text.indexOf(':') + 1) }))

export async function newKey(): Promise<KeyPair> {
  return cryptography.generateKeyPair('ec-p256')
}

export async function csrOf(keyPair: KeyPair, uriSan?: string): Promise<Buffer> {
  return encodeCsr(uriSan === undefined ? { keyPair } : { keyPair, uriSan }, cryptography)
}

/** Attests as an agent does: payload and CSR, then an answer to each challenge. */
export async function attest(
  server: TestServer,
  type: string,
  payload: Buffer,
  csr: Buffer,
  options: { readonly answer?: (challenge: Buffer) => Promise<Buffer>; readonly address?: string } = {},
) {
  const challenges: PromiseWithResolvers<Buffer>[] = [Promise.withResolvers()]
  async function* requests(): AsyncGenerator<AttestAgentRequest> {
    yield { params: { data: { type, payload }, params: { csr } }, step: 'params' }
    for (let index = 0; ; index += 1) {
      const challenge = await challenges[index]!.promise
      yield { challengeResponse: await options.answer!(challenge), step: 'challengeResponse' }
    }
  }
  for await (const response of server.agents.attestAgent(requests(), server.anyone(options.address))) {
    if (response.result) return response.result
    challenges.push(Promise.withResolvers())
    challenges.at(-2)!.resolve(response.challenge as Buffer)
  }
  throw new Error('the call ended without a result')
}
