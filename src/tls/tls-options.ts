import { constants } from 'node:crypto'
import {
  type ConnectionOptions,
  createSecureContext,
  type SecureContext,
  type SecureContextOptions,
  type TlsOptions,
} from 'node:tls'
import { SallyportError } from '../errors.ts'
import type { X509Svid } from '../svid/x509-svid.ts'
import { printPem } from '../x509/pem.ts'
import type { TlsSource } from './tls-source.ts'

/** What the TLS engine presents for an SVID: TLS 1.3, and no tickets, because a resumed session skips certificates and their expiry. */
export function contextOptions(svid: X509Svid): SecureContextOptions {
  if (svid.privateKey === undefined) {
    throw new SallyportError('X509_SVID_INVALID', `Cannot present ${svid.spiffeId}: its private key is not held here`)
  }
  return {
    key: svid.privateKey.export({ type: 'pkcs8', format: 'pem' }),
    cert: printPem(svid.chain),
    minVersion: 'TLSv1.3',
    secureOptions: constants.SSL_OP_NO_TICKET,
  }
}

const contexts = new WeakMap<X509Svid, SecureContext>()

/** One context for each SVID: making one costs as much as a signature. */
export function secureContextOf(svid: X509Svid): SecureContext {
  const known = contexts.get(svid)
  if (known !== undefined) return known
  const context = createSecureContext(contextOptions(svid))
  contexts.set(svid, context)
  return context
}

/**
 * Options for `tls.createServer` with the SVID of this moment. They ask for a certificate and verify nothing by themselves:
 * the engine knows one pool of authorities, and in one pool any trust domain vouches for any other. Use `tlsServer`, which
 * verifies every peer before it hands the connection over.
 */
export function tlsServerOptions(source: TlsSource): TlsOptions {
  return { ...contextOptions(source.current().svid), requestCert: true, rejectUnauthorized: false }
}

/** Options for `tls.connect` with the SVID of this moment. They verify nothing by themselves: use `connectTls`. */
export function tlsClientOptions(source: TlsSource): ConnectionOptions {
  return {
    secureContext: secureContextOf(source.current().svid),
    minVersion: 'TLSv1.3',
    rejectUnauthorized: false,
    // An SVID names no host; the id is compared instead.
    checkServerIdentity: () => undefined,
  }
}
