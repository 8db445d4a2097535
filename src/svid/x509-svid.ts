import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { SallyportError } from '../errors.ts'
import type { SpiffeId } from '../id/spiffe-id.ts'
import type { Certificate } from '../x509/certificate.ts'
import { decodeCertificates } from '../x509/decode-certificate.ts'
import { CHAIN_MAX_CERTIFICATES } from '../x509/verify-chain.ts'
import { checkX509SvidLeaf } from './x509-svid-leaf.ts'

/** The longest chain that is read or made: clients in other languages accept no more. */
export const X509_SVID_MAX_CHAIN = CHAIN_MAX_CERTIFICATES

/** An X509-SVID: chain, leaf first, without the root; with its key where this process is the holder. */
export interface X509Svid {
  readonly spiffeId: SpiffeId
  readonly chain: readonly [Certificate, ...Certificate[]]
  readonly privateKey: KeyObject | undefined
  readonly hint: string
}

/**
 * Reads an X509-SVID that this process was given by whom it trusts, such as its agent; says nothing about trust.
 *
 * @param chainDer certificates one after another, leaf first
 * @param pkcs8 the private key, unencrypted; it must be that of the leaf
 * @throws {@link SallyportError} `CERTIFICATE_INVALID`, `X509_SVID_INVALID`
 */
export function parseX509Svid(chainDer: Buffer, pkcs8?: Buffer, hint = ''): X509Svid {
  const [leaf, ...intermediates] = decodeCertificates(chainDer)
  if (leaf === undefined) throw invalid('it holds no certificate')
  if (intermediates.length >= X509_SVID_MAX_CHAIN) throw invalid(`more than ${X509_SVID_MAX_CHAIN} certificates`)
  return {
    spiffeId: checkX509SvidLeaf(leaf),
    chain: [leaf, ...intermediates],
    privateKey: pkcs8 === undefined ? undefined : privateKeyOf(pkcs8, leaf),
    hint,
  }
}

function privateKeyOf(pkcs8: Buffer, leaf: Certificate): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' })
  } catch {
    // Not kept as a cause: what a key parser says about a key stays out of every log.
    throw invalid('its private key is not PKCS#8')
  }
  const spki = createPublicKey(key).export({ type: 'spki', format: 'der' })
  if (!spki.equals(leaf.spki)) throw invalid('its private key is not that of its certificate')
  return key
}

function invalid(why: string): SallyportError {
  return new SallyportError('X509_SVID_INVALID', `Cannot read X509-SVID: ${why}`)
}
