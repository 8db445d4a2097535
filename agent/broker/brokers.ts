import type { Bundle } from '../../src/bundle/bundle.ts'
import { type BundleSet, bundleSetOf } from '../../src/bundle/bundle-set.ts'
import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import type { Log } from '../../src/log/log.ts'
import type { Pattern } from '../../src/policy/pattern.ts'
import { verifyX509Svid } from '../../src/svid/verify-x509-svid.ts'
import { checkX509SvidLeaf } from '../../src/svid/x509-svid-leaf.ts'
import type { Call, Connection } from '../../src/wire/call.ts'
import { decodeCertificate } from '../../src/x509/decode-certificate.ts'
import { withheldBecause, type Standing } from '../entries/standing.ts'
import type { ReferenceKind } from './reference.ts'

/** Somebody who may fetch for others, as the configuration says. */
export interface AllowedBroker {
  readonly id: SpiffeId
  readonly references: readonly ReferenceKind[]
  /** Whose SVIDs it may fetch; undefined: those of every identity on this node that has no rights over others. */
  readonly identities?: readonly Pattern[] | undefined
}

/** A broker that has proven to be one. */
export interface Broker {
  readonly spiffeId: SpiffeId
  /** What it may refer to workloads by. */
  readonly references: ReadonlySet<ReferenceKind>
  /** Whose SVIDs it may fetch; undefined: it is not bound to any. */
  readonly identities: readonly Pattern[] | undefined
  /** End of the certificate of its chain that ends first. */
  readonly expiresAt: Date
}

export interface BrokersDeps {
  readonly allow: readonly AllowedBroker[]
  /** Bundles of the own trust domain and of all that are federated with; a broker may be of any. What lifecycle says of it. */
  readonly entitlements: { readonly bundles: BundleSet; readonly standing: Standing }
  readonly isInSync: () => boolean
  readonly clock: Clock
  readonly cryptography: Cryptography
  readonly log: Log
  /** Calls of one broker that are open; more are refused. */
  readonly callsPerBroker: number
}

interface Proven {
  readonly spiffeId: SpiffeId
  readonly serialNumber: bigint
  readonly expiresAt: Date
}

/** What came of the chain of a connection: while the bundle is the same, no signature is looked at again, good or bad. */
interface Verified {
  readonly outcome: Proven | SallyportError
  readonly bundle: Bundle
}

type TlsConnection = Extract<Connection, { transport: 'tls' }>

/** Who may use the broker endpoint: those on a list, each proven by its X509-SVID on every call. Nobody else gets anything (BA-14). */
export class Brokers {
  readonly #deps: BrokersDeps
  readonly #allowed: ReadonlyMap<string, Pick<Broker, 'references' | 'identities'>>
  readonly #verified = new WeakMap<Connection, Verified>()
  readonly #open = new Map<string, number>()
  /** Connections of which the log says already that they were refused: strangers write no more of it than one line each. */
  readonly #refused = new WeakSet<Connection>()

  constructor(deps: BrokersDeps) {
    this.#deps = deps
    this.#allowed = new Map(
      deps.allow.map(({ id, references, identities }) => [
        id.toString(),
        { references: new Set(references), identities },
      ]),
    )
  }

  /** Lets a call in, and counts it while it is open. Leaves a trace of whom it refuses. */
  async admit(call: Call): Promise<void> {
    const { callsPerBroker } = this.#deps
    const { spiffeId } = await this.of(call).catch((error: unknown) => {
      this.#noteRefusal(call, error)
      throw error
    })
    // It may have ended while signatures were looked at: nothing would take it out of the count again.
    call.signal.throwIfAborted()
    const id = spiffeId.toString()
    if ((this.#open.get(id) ?? 0) >= callsPerBroker) {
      throw new SallyportError('CALL_LIMIT', `Cannot serve ${id}: it has ${callsPerBroker} calls open`, {
        hint: 'Close some, or raise limits.streamsPerUser.',
      })
    }
    this.#count(id, 1)
    call.signal.addEventListener('abort', () => this.#count(id, -1), { once: true })
  }

  /**
   * Who makes a call, as of now.
   *
   * @throws {@link SallyportError} `CALLER_UNPROVEN`, `CERTIFICATE_EXPIRED`; `BROKER_REFUSED` for whoever is not on the list;
   *   `IDENTITY_PENDING` while this agent lacks the bundle to tell
   */
  async of({ connection }: Pick<Call, 'connection'>): Promise<Broker> {
    if (connection.transport !== 'tls') throw unproven('it does not come over TLS')
    const { spiffeId, serialNumber, expiresAt } = await this.#prove(connection)
    if (expiresAt <= this.#deps.clock.now()) throw brokerExpired(spiffeId)
    this.#checkStanding(spiffeId.toString(), serialNumber)
    const allowed = this.#allowed.get(spiffeId.toString())
    if (allowed === undefined) {
      throw new SallyportError('BROKER_REFUSED', `Cannot serve ${spiffeId}: it is not a broker of this agent`)
    }
    return { spiffeId, expiresAt, ...allowed }
  }

  /** Who is in quarantine gets nothing, for others least of all: not even where a conduit is kept open for it (§3.11). */
  #checkStanding(id: string, serialNumber: bigint): void {
    const { standing } = this.#deps.entitlements
    const withheld = standing.withheld(id)
    const why =
      withheld !== undefined
        ? withheldBecause(withheld)
        : standing.isRevoked(id, serialNumber.toString(16))
          ? 'shows a certificate that is revoked'
          : undefined
    if (why !== undefined) throw new SallyportError('BROKER_REFUSED', `Cannot serve ${id}: it ${why}`)
  }

  /** Verifies once for each connection, and again whenever what may vouch for it is another one. */
  async #prove(connection: TlsConnection): Promise<Proven> {
    try {
      let verified = this.#verified.get(connection)
      if (verified === undefined || !this.#isCurrent(verified)) {
        verified = await this.#verify(connection)
        this.#verified.set(connection, verified)
      }
      if (verified.outcome instanceof SallyportError) throw verified.outcome
      return verified.outcome
    } catch (error) {
      // Whatever is wrong with the certificate, the answer to it is a better one.
      if (
        !(error instanceof SallyportError) ||
        error.row.grpc === 'UNAVAILABLE' ||
        error.row.grpc === 'UNAUTHENTICATED'
      )
        throw error
      throw unproven(error.message, error)
    }
  }

  #isCurrent({ bundle }: Verified): boolean {
    return this.#deps.entitlements.bundles.get(bundle.trustDomain) === bundle
  }

  async #verify(connection: TlsConnection): Promise<Verified> {
    const { clock, cryptography } = this.#deps
    const chain = (connection.presentedChain ?? []).map((der) => decodeCertificate(der))
    const [leaf] = chain
    if (leaf === undefined) throw unproven('it presented no certificate')
    const bundle = this.#bundleFor(checkX509SvidLeaf(leaf))
    try {
      const { spiffeId } = await verifyX509Svid(chain, bundleSetOf([bundle]), clock.now(), cryptography)
      const expiresAt = new Date(Math.min(...chain.map(({ notAfter }) => notAfter.getTime())))
      return { outcome: { spiffeId, serialNumber: leaf.serialNumber, expiresAt }, bundle }
    } catch (error) {
      if (error instanceof SallyportError) return { outcome: error, bundle }
      throw error
    }
  }

  #noteRefusal({ connection, method, requestId }: Call, err: unknown): void {
    if (this.#refused.has(connection)) return
    this.#refused.add(connection)
    this.#deps.log.warn({ err, callerId: claimedBy(connection), method, requestId }, 'Refused a broker')
  }

  #bundleFor(spiffeId: SpiffeId): Bundle {
    const { entitlements, isInSync } = this.#deps
    const bundle = entitlements.bundles.get(spiffeId.trustDomain)
    if (bundle !== undefined) return bundle
    if (isInSync()) throw unproven(`no bundle of ${spiffeId.trustDomain.name} is known here`)
    throw new SallyportError('IDENTITY_PENDING', `Cannot tell yet who ${spiffeId} is: this agent waits for its server`)
  }

  #count(id: string, by: 1 | -1): void {
    const next = (this.#open.get(id) ?? 0) + by
    if (next === 0) this.#open.delete(id)
    else this.#open.set(id, next)
  }
}

export const brokerExpired = (spiffeId: SpiffeId): SallyportError =>
  new SallyportError('CERTIFICATE_EXPIRED', `Cannot serve ${spiffeId}: the X509-SVID of its connection has expired`, {
    hint: 'Connect again with the current one.',
  })

const unproven = (why: string, cause?: unknown): SallyportError =>
  new SallyportError('CALLER_UNPROVEN', `Cannot tell who the broker is: ${why}`, {
    cause,
    hint: 'Present a current X509-SVID of this trust domain, or of one that it federates with.',
  })

/** Who a connection says it is, proven or not: for the log of a refusal. */
function claimedBy(connection: Connection): string {
  const [leaf] = (connection.transport === 'tls' ? connection.presentedChain : undefined) ?? []
  try {
    return leaf === undefined ? 'nobody' : (decodeCertificate(leaf).uriSans[0]?.slice(0, 300) ?? 'nobody')
  } catch {
    return 'nobody'
  }
}
