import type { KeyObject } from 'node:crypto'
import type { DetailedPeerCertificate, TLSSocket } from 'node:tls'

/** More certificates than any chain that we would accept has. */
const PRESENTED_MAX = 17

/** A certificate chain (DER, leaf first) and its key. */
export interface TlsIdentity {
  readonly chain: readonly Buffer[]
  readonly privateKey: KeyObject
}

/** A chain and its key as node:tls takes them. */
export function pemOf(identity: TlsIdentity): { readonly cert: string; readonly key: string } {
  return {
    cert: identity.chain.map(pemCertificate).join(''),
    key: identity.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
  }
}

function pemCertificate(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`
}

/**
 * The certificates that the other side presented (DER, leaf first), undefined when it presented none. That it holds the key
 * of the first is proven by the handshake; nothing else is.
 */
export function presentedChain(socket: TLSSocket): readonly Buffer[] | undefined {
  const leaf = socket.getPeerCertificate(true) as DetailedPeerCertificate | Record<string, never>
  if (!('raw' in leaf)) return undefined
  const chain: Buffer[] = []
  let certificate: DetailedPeerCertificate | undefined = leaf as DetailedPeerCertificate
  while (certificate !== undefined && chain.length < PRESENTED_MAX) {
    chain.push(certificate.raw)
    // A self-signed certificate is its own issuer.
    const issuer: DetailedPeerCertificate | undefined = certificate.issuerCertificate
    certificate = issuer === certificate ? undefined : issuer
  }
  return chain
}
