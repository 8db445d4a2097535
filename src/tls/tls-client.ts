import type { ConnectionOptions, PeerCertificate } from 'node:tls'
import { type Clock, systemClock } from '../clock.ts'
import type { IdMatcher } from '../id/matcher.ts'
import type { X509Svid } from '../svid/x509-svid.ts'
import type { Connection } from './connection.ts'
import { DEFAULT_MIN_VERSION, pooledContextOf } from './tls-options.ts'
import { checkSource, type TlsSource } from './tls-source.ts'
import { type PresentedCertificate, verifyPeer } from './verify-peer.ts'

/** Who must answer. What `exactly()` and `memberOf()` return is enough; `egress()` also follows what becomes of the connections. */
export interface ServerMatcher extends IdMatcher {
  /** Told of each connection whose server is the one that is wanted. */
  connected?(connection: Connection): void
}

export interface TlsClientOptions {
  /** Who must answer. */
  readonly server: ServerMatcher
  readonly clock?: Clock | undefined
}

/**
 * Options for `tls.connect`, `https.request`, `https.Agent` and `http2.connect`. They present the SVID that is the newest when
 * they are used, or spread into others; the peer is verified against the bundle of its own trust domain before a byte of the
 * request is written. Never resumes a session, because a resumed one skips the verification.
 *
 * The engine verifies first, by its own rules. `connectTls`, `httpsAgent`, `connectHttp2` and `dispatcher` verify by ours alone,
 * say what was wrong with an error code, and let `peerOf` say who answered, which Node leaves no way to do here.
 *
 * @example
 * ```ts
 * const options = tlsClient(source, { server: exactly('spiffe://example.org/orders') })
 * https.get('https://orders:8443/', options, (answer) => answer.pipe(process.stdout))
 * ```
 */
export function tlsClient(source: TlsSource, options: TlsClientOptions): ConnectionOptions {
  const { server, clock = systemClock } = checkedClient(source, options)
  const group = ++groups
  return {
    get secureContext() {
      const { svid, bundles } = source.current()
      return pooledContextOf(svid, bundles)
    },
    minVersion: DEFAULT_MIN_VERSION,
    rejectUnauthorized: true,
    // Named here so that an agent's own memory of sessions does not apply.
    session: undefined,
    checkServerIdentity: (_host, certificate) => {
      try {
        verifyPeer(presentedBy(certificate), server, { source, clock })
        return undefined
      } catch (error) {
        return error as Error
      }
    },
    // Agents share connections between requests whose options look alike, and look at this one but not at the two above.
    get sessionIdContext() {
      return `sallyport ${group} ${numberOf(source.current().svid)}`
    },
  }
}

export function checkedClient<T extends TlsClientOptions>(source: TlsSource, options: T): T {
  checkSource(source)
  if (typeof (options as Partial<T> | undefined)?.server?.matches !== 'function')
    throw new TypeError('A TLS client needs `server`: a matcher such as exactly() or memberOf()')
  return options
}

/** Without a certificate Node hands over an empty object. */
const presentedBy = (certificate: PeerCertificate): PresentedCertificate | undefined =>
  'raw' in certificate ? certificate : undefined

let groups = 0
let svids = 0
const svidNumbers = new WeakMap<X509Svid, number>()

function numberOf(svid: X509Svid): number {
  const number = svidNumbers.get(svid) ?? ++svids
  svidNumbers.set(svid, number)
  return number
}
