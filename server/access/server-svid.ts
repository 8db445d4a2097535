import type { KeyObject } from 'node:crypto'
import { type Clock, sleepUnlessAborted } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import type { KeyType } from '../../src/key/key-type.ts'
import type { Log } from '../../src/log/log.ts'
import { spkiOf } from '../../src/x509/spki.ts'
import type { Issuer, X509Issued } from '../authority/issuer.ts'

export interface ServerSvidDeps {
  readonly issuer: Pick<Issuer, 'issueServerSvid'>
  /** Is the authority of that id still one whose SVIDs others accept? */
  readonly isTrusted: (authorityId: string) => boolean
  readonly keyType: KeyType
  readonly clock: Clock
  readonly cryptography: Cryptography
  readonly log: Log
}

const LOOK_MS = 5000
/** After a failure. */
const LOOK_MIN_MS = 1000

/** The X509-SVID that agents meet at the door: `/spire/server`, replaced at half of its life with a new key each time. */
export class ServerSvid {
  readonly #deps: ServerSvidDeps
  #current: { readonly issued: X509Issued; readonly privateKey: KeyObject; readonly renewAt: Date } | undefined

  constructor(deps: ServerSvidDeps) {
    this.#deps = deps
  }

  /**
   * What a new connection is shown.
   *
   * @throws {@link SallyportError} `NOT_READY` when there is nothing valid to show
   */
  credentials(): { readonly chain: readonly Buffer[]; readonly privateKey: KeyObject } {
    const current = this.#current
    if (current !== undefined && current.issued.expiresAt > this.#deps.clock.now()) {
      return { chain: current.issued.chain, privateKey: current.privateKey }
    }
    throw new SallyportError('NOT_READY', 'The server has no valid X509-SVID of its own at the moment')
  }

  /** Gets a new one. */
  async renew(): Promise<void> {
    const { clock, cryptography, issuer, keyType, log } = this.#deps
    const { publicKey, privateKey } = await cryptography.generateKeyPair(keyType)
    const issued = await issuer.issueServerSvid(spkiOf(publicKey))
    // Half of what is left, not of the whole life: its start is set back for clocks that are behind.
    const renewAt = new Date((clock.now().getTime() + issued.expiresAt.getTime()) / 2)
    this.#current = { issued, privateKey, renewAt }
    const { spiffeId, expiresAt, serialNumber, authorityId } = issued
    log.info(
      { spiffeId: String(spiffeId), expiresAt, authorityId, serialNumber: serialNumber.toString() },
      'Renewed own X509-SVID',
    )
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#deps
    while (!signal.aborted) {
      try {
        if (this.#isDue()) await this.renew()
      } catch (error) {
        log.error({ err: error }, 'Cannot renew own X509-SVID')
      }
      await sleepUnlessAborted(clock, this.#waitMs(), signal)
    }
  }

  #isDue(): boolean {
    if (this.#current === undefined) return true
    const { renewAt, issued } = this.#current
    const now = this.#deps.clock.now()
    // Made while the wall clock was ahead (SE-20): to everybody else it is not valid yet.
    return now < issued.notBefore || now >= renewAt || !this.#deps.isTrusted(issued.authorityId)
  }

  /** Until it is due, if that is sooner than the next look. */
  #waitMs(): number {
    const leftMs = (this.#current?.renewAt.getTime() ?? 0) - this.#deps.clock.now().getTime()
    return Math.min(LOOK_MS, Math.max(LOOK_MIN_MS, leftMs))
  }
}
