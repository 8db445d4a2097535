import { constants, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import * as tls from 'node:tls'
import type { Bundle } from '../bundle/bundle.ts'
import { bundleSetOf } from '../bundle/bundle-set.ts'
import { SallyportError } from '../errors.ts'
import type { SpiffeId } from '../id/spiffe-id.ts'
import { verifyX509SvidNow } from '../svid/verify-x509-svid.ts'
import { presentedChain } from '../tls/verify-peer.ts'
import { decodeCertificate } from '../x509/decode-certificate.ts'
import type { EndpointUrl } from './endpoint-url.ts'

/** What an endpoint must prove, and what with. */
export type EndpointTrust =
  | { readonly profile: 'https_web'; readonly ca: readonly string[] }
  | { readonly profile: 'https_spiffe'; readonly endpointId: SpiffeId; readonly bundle: Bundle }

/** Who has answered, as far as the profile says who it is. */
export interface EndpointPeer {
  /** With `https_spiffe`. */
  readonly spiffeId: SpiffeId | undefined
  /** SHA-256 of its certificate, in hexadecimal with colons. */
  readonly fingerprint: string
}

export interface EndpointConnection {
  readonly socket: tls.TLSSocket
  readonly peer: EndpointPeer
}

/**
 * Connects to an endpoint and has it prove itself; not a byte is written before that. We show nothing: endpoints ask nobody who
 * they are.
 *
 * @throws {@link SallyportError} `BUNDLE_ENDPOINT_FAILED`, `BUNDLE_ENDPOINT_UNTRUSTED`; the reason of `signal`
 * @see SPIFFE_Federation.md §5.1.3 and §5.2.3; RFC 6125
 */
export function connectEndpoint(
  url: EndpointUrl,
  trust: EndpointTrust,
  { now, signal }: { readonly now: () => Date; readonly signal: AbortSignal },
): Promise<EndpointConnection> {
  signal.throwIfAborted()
  return new Promise((resolve, reject) => {
    const socket = tls.connect({
      host: url.host,
      port: url.port,
      ...(url.serverName === undefined ? {} : { servername: url.serverName }),
      secureContext: secureContextFor(trust),
      ALPNProtocols: ['http/1.1'],
      // Said here so that no variable of the environment can say otherwise.
      rejectUnauthorized: trust.profile === 'https_web',
      // An SVID names no host: it is verified below, by our rules.
      checkServerIdentity: trust.profile === 'https_web' ? checkHost : () => undefined,
    })
    const fail = (error: Error): void => {
      settled()
      socket.destroy()
      reject(error)
    }
    const abort = (): void => fail(signal.reason as Error)
    const close = (): void => fail(unreachable(url, new Error('the connection was closed')))
    const settled = (): void => {
      signal.removeEventListener('abort', abort)
      socket.off('close', close)
    }
    signal.addEventListener('abort', abort, { once: true })
    // Stays: a reset must not end the process. Whoever reads the socket hears of its end.
    socket.on('error', (cause) => fail(isUnproven(socket) ? untrusted(url, cause) : unreachable(url, cause)))
    socket.once('close', close)
    socket.once('secureConnect', () => {
      try {
        const peer = peerOf(socket, url, trust, now())
        settled()
        resolve({ socket, peer })
      } catch (error) {
        fail(error as Error)
      }
    })
  })
}

function peerOf(socket: tls.TLSSocket, url: EndpointUrl, trust: EndpointTrust, now: Date): EndpointPeer {
  const certificate = socket.getPeerX509Certificate()
  if (certificate === undefined) throw untrusted(url, new Error('it presented no certificate'))
  const fingerprint = certificate.fingerprint256
  if (trust.profile === 'https_web') {
    // The engine has destroyed the socket where this is not so.
    if (!socket.authorized) throw untrusted(url, socket.authorizationError)
    return { spiffeId: undefined, fingerprint }
  }
  const { endpointId, bundle } = trust
  try {
    const chain = presentedChain(certificate).map((der) => decodeCertificate(der))
    const { spiffeId } = verifyX509SvidNow(chain, bundleSetOf([bundle]), now).svid
    if (!spiffeId.equals(endpointId)) throw new Error(`it is ${spiffeId}, and wanted is ${endpointId}`)
    return { spiffeId, fingerprint }
  } catch (cause) {
    throw untrusted(url, cause as Error)
  }
}

/** By the names that a certificate is for. Its subject is none of them, as Node would have it where there are no others. */
function checkHost(host: string, certificate: tls.PeerCertificate): Error | undefined {
  const { raw } = certificate
  const named = new X509Certificate(raw)
  const isNamed = (isIP(host) === 0 ? named.checkHost(host, { subject: 'never' }) : named.checkIP(host)) !== undefined
  return tls.checkServerIdentity(host, certificate) ?? (isNamed ? undefined : new Error(`it is not for ${host}`))
}

/**
 * Endpoints speak TLS 1.2 or newer. No session is resumed: a resumed one skips the certificate. With `https_spiffe` the engine has
 * no authorities at all; with `https_web` those of Node, with which bundles have nothing to do.
 */
function secureContextFor(trust: EndpointTrust): tls.SecureContext {
  return tls.createSecureContext({
    minVersion: 'TLSv1.2',
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
    ...(trust.profile === 'https_spiffe' ? { ca: [] } : caOptions(trust.ca)),
  })
}

/** Naming one CA takes the place of all that Node trusts, so these are named too. Node before 22.15 cannot list them all. */
function caOptions(extra: readonly string[]): { readonly ca?: string[] } {
  if (extra.length === 0) return {}
  const { getCACertificates, rootCertificates } = tls as Omit<typeof tls, 'getCACertificates'> & Partial<typeof tls>
  const known = getCACertificates === undefined ? rootCertificates : getCACertificates('default')
  return { ca: [...known, ...extra] }
}

/** Whether the engine has refused the certificate, as opposed to a connection that failed. */
const isUnproven = ({ authorizationError }: tls.TLSSocket): boolean => Boolean(authorizationError)

export function unreachable(url: EndpointUrl, cause: Error): SallyportError {
  return new SallyportError('BUNDLE_ENDPOINT_FAILED', `Cannot fetch ${url.toString()}: ${cause.message}`, { cause })
}

function untrusted(url: EndpointUrl, cause: Error): SallyportError {
  return new SallyportError(
    'BUNDLE_ENDPOINT_UNTRUSTED',
    `Cannot trust who answers at ${url.toString()}: ${cause.message}`,
    { cause },
  )
}
