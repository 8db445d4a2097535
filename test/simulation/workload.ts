import {
  spiffeWorkloadApiService,
  type WitSvidResponse,
  type X509SvidResponse,
} from '../../src/wire/messages/spiffe-workload.ts'
import type { Peer } from '../../src/peer/peer.ts'
import type { Transport } from '../../src/wire/client.ts'
import { parseWitSvid } from '../../src/wit/wit-svid.ts'
import type { Certificate } from '../../src/x509/certificate.ts'
import { decodeCertificates } from '../../src/x509/decode-certificate.ts'
import type { AgentMachine } from './agent-machine.ts'
import type { Link } from './lane.ts'
import type { SimulatedProcess } from './machine.ts'
import type { Random } from './random.ts'
import type { World } from './world.ts'

const METADATA = { 'workload.spiffe.io': 'true' }
const RETRY_MS = [1000, 4000] as const
/** Who is refused again and again asks less and less often. */
const BACKOFF_MAX = 4
const CALL_TIMEOUT_MS = 20_000

/** An identity as a workload was given it. */
export interface GivenSvid {
  readonly spiffeId: string
  readonly chain: readonly Certificate[]
  readonly notAfterMs: number
  /** Key id of the authority that signed it. */
  readonly authorityId: string
}

/** A WIT-SVID as a workload was given it. */
export interface GivenWit {
  readonly spiffeId: string
  readonly keyId: string
  readonly expiresMs: number
}

/** A message of the X.509 stream, read. */
export interface GivenIdentities {
  readonly atMs: number
  readonly svids: readonly GivenSvid[]
  /** Key ids of the authorities of the own bundle. */
  readonly authorityIds: ReadonlySet<string>
  readonly authorities: readonly Certificate[]
}

/** A process that keeps a stream to its agent open, as any SPIFFE library does. */
export class Workload {
  readonly name: string
  readonly uid: number
  readonly agent: AgentMachine
  readonly selectors: ReadonlySet<string>
  process: SimulatedProcess
  readonly #world: World
  readonly #random: Random
  readonly #link: Link
  #transport: Transport
  /** What it was last given; stays when the stream ends, as in a real process. */
  current: GivenIdentities | undefined
  /** Since when its stream is open, or undefined. */
  streamSinceMs: number | undefined
  /** What was last handed to its stream by the agent, and when. */
  lastSent: { readonly by: SimulatedProcess; readonly given: GivenIdentities } | undefined
  lastRefusal = ''
  /** The WIT-SVIDs that it was last given. */
  wits: readonly GivenWit[] = []
  /** Since when that stream is open, or undefined. */
  witStreamSinceMs: number | undefined

  constructor(world: World, agent: AgentMachine, uid: number) {
    this.#world = world
    this.#random = world.random.fork()
    this.agent = agent
    this.uid = uid
    this.name = `${agent.name}/uid-${uid}`
    this.selectors = new Set([`unix:uid:${uid}`])
    this.#link = world.link(this.name, 0.01, 0.2)
    this.process = world.process(this.name, agent.wall)
    this.#transport = this.#connect()
  }

  start(): void {
    void this.#follow(this.process)
    if (this.agent.witSvid) void this.#followWits(this.process)
  }

  /** Ends its stream and opens another one, as a process does that starts anew. */
  reopen(): void {
    this.reopenedMs = this.#world.time.nowMs
    this.#reopened.abort(new Error('opened anew'))
    this.#reopened = new AbortController()
  }
  #reopened = new AbortController()
  /** When it last opened its stream anew by its own will. */
  reopenedMs = -Infinity

  /** Asks for a token; undefined when it got none. */
  async fetchToken(audience: string): Promise<string | undefined> {
    const client = this.#transport.client(spiffeWorkloadApiService)
    try {
      const request = { audience: [audience], spiffeId: '' }
      const { svids } = await client.fetchJwtSvid(request, { metadata: METADATA, timeoutMs: CALL_TIMEOUT_MS })
      return svids[0]?.svid
    } catch (error) {
      this.#world.trace.add(`${this.name} gets no token`)
      this.#world.trace.remark(String(error))
      return undefined
    }
  }

  /** Why its agent does not accept a token; undefined when it does. */
  async validate(token: string, audience: string): Promise<string | undefined> {
    const client = this.#transport.client(spiffeWorkloadApiService)
    try {
      await client.validateJwtSvid({ svid: token, audience }, { metadata: METADATA, timeoutMs: CALL_TIMEOUT_MS })
      return undefined
    } catch (error) {
      return error instanceof Error ? error.message : String(error)
    }
  }

  async #follow(process: SimulatedProcess): Promise<void> {
    const world = this.#world
    let failures = 0
    while (process.isAlive) {
      try {
        const client = this.#transport.client(spiffeWorkloadApiService)
        for await (const message of client.fetchX509Svid({}, { metadata: METADATA, signal: this.#reopened.signal })) {
          this.streamSinceMs ??= world.time.nowMs
          this.current = readIdentities(message, world.time.nowMs)
          failures = 0
          world.trace.add(`${this.name} has ${this.current.svids.map(({ spiffeId }) => spiffeId).join(' ')}`)
        }
        this.lastRefusal = 'ended'
      } catch (error) {
        this.lastRefusal = error instanceof Error ? error.message : String(error)
      }
      this.streamSinceMs = undefined
      this.lastSent = undefined
      failures = Math.min(failures + 1, BACKOFF_MAX)
      await process.wait(failures * this.#random.between(...RETRY_MS))
    }
  }

  async #followWits(process: SimulatedProcess): Promise<void> {
    const world = this.#world
    let failures = 0
    while (process.isAlive) {
      try {
        const client = this.#transport.client(spiffeWorkloadApiService)
        for await (const message of client.fetchWitSvid({}, { metadata: METADATA, signal: this.#reopened.signal })) {
          this.witStreamSinceMs ??= world.time.nowMs
          this.wits = readWits(message)
          failures = 0
          world.trace.add(`${this.name} has WIT-SVIDs of ${this.wits.map(({ spiffeId }) => spiffeId).join(' ')}`)
        }
      } catch (error) {
        world.trace.remark(String(error))
      }
      this.witStreamSinceMs = undefined
      failures = Math.min(failures + 1, BACKOFF_MAX)
      await process.wait(failures * this.#random.between(...RETRY_MS))
    }
  }

  #connect(): Transport {
    const peer: Peer = {
      pid: 1000 + this.uid,
      uid: this.uid,
      gid: this.uid,
      supplementaryGids: [],
      isAlive: () => this.process.isAlive,
      exited: this.process.ended,
    }
    return this.#world.network.connect({ link: this.#link, address: this.agent.socket, client: this.process, peer })
  }
}

const certificatesOf = new Map<string, readonly Certificate[]>()
const CERTIFICATES_KEPT = 5000

/** Reading is the same for the same bytes, and most bytes come many times. */
function read(der: Buffer): readonly Certificate[] {
  const key = der.toString('latin1')
  let certificates = certificatesOf.get(key)
  if (certificates === undefined) {
    if (certificatesOf.size > CERTIFICATES_KEPT) certificatesOf.clear()
    certificatesOf.set(key, (certificates = decodeCertificates(der)))
  }
  return certificates
}

export const readWits = ({ svids }: Pick<WitSvidResponse, 'svids'>): readonly GivenWit[] =>
  svids.map(({ spiffeId, witSvid }) => {
    const { keyId, expiresAt } = parseWitSvid(witSvid)
    return { spiffeId, keyId, expiresMs: expiresAt.getTime() }
  })

export function readIdentities({ svids }: Pick<X509SvidResponse, 'svids'>, atMs: number): GivenIdentities {
  const authorities = svids.flatMap(({ bundle }) => read(Buffer.from(bundle)))
  return {
    atMs,
    authorities,
    authorityIds: new Set(authorities.map(({ subjectKeyId }) => subjectKeyId?.toString('hex') ?? '')),
    svids: svids.map(({ spiffeId, x509Svid }): GivenSvid => {
      const chain = read(Buffer.from(x509Svid))
      return {
        spiffeId,
        chain,
        notAfterMs: Math.min(...chain.map(({ notAfter }) => notAfter.getTime())),
        authorityId: chain.at(-1)?.authorityKeyId?.toString('hex') ?? '',
      }
    }),
  }
}
