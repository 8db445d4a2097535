import type { KeyObject } from 'node:crypto'
import { SallyportError } from '../errors.ts'
import { CERTIFIED_KEYS, checkPublicKey } from '../key/public-key.ts'
import type { Cryptography } from '../key/cryptography.ts'
import { isSignatureAlgorithm, signatureAlgorithms } from '../key/signature-algorithm.ts'
import { nameOfAlgorithm } from './algorithm-identifier.ts'
import { type Extensions, noExtensions, readExtensions } from './decode-extensions.ts'
import { checkDer, DerError, Tag } from './der.ts'
import { DerReader } from './der-reader.ts'
import { oidContent } from './der-writer.ts'
import { checkName } from './name.ts'
import { publicKeyOfSpki } from './spki.ts'

/** The largest certificate signing request that is read: RSA-4096 with a few hundred names fits. */
export const CSR_MAX_BYTES = 16_384

/** A certificate signing request (PKCS#10) as it was sent: only wishes, and no proof until {@link verifyCsr}. */
export interface Csr {
  readonly spki: Buffer
  readonly publicKey: KeyObject
  /** DER of the name. */
  readonly subject: Buffer
  readonly uriSans: readonly string[]
  readonly dnsSans: readonly string[]
  /** Whether it asks to become a CA. */
  readonly isCa: boolean
  readonly signatureAlgorithm: string
  /** The signed bytes. */
  readonly info: Buffer
  readonly signature: Buffer
}

const VERSION_1 = 0
const ATTRIBUTES_TAG = 0xa0
const EXTENSION_REQUEST = oidContent('1.2.840.113549.1.9.14').toString('latin1')

/**
 * Reads a PKCS#10 request in strict DER.
 *
 * @throws {@link SallyportError} `CSR_INVALID`
 */
export function decodeCsr(der: Buffer): Csr {
  if (der.length > CSR_MAX_BYTES) throw invalid(`longer than ${CSR_MAX_BYTES} bytes`)
  try {
    return readCsr(Buffer.from(der))
  } catch (error) {
    if (error instanceof DerError) throw invalid(error.message, error.cause)
    throw error
  }
}

/**
 * Checks that whoever made the request holds the private key: first the kind and size of the key, then the signature.
 *
 * @throws {@link SallyportError} `CSR_INVALID`, or `KEY_REFUSED` for a key that is not certified
 */
export async function verifyCsr(csr: Csr, cryptography: Cryptography): Promise<void> {
  checkPublicKey(csr, CERTIFIED_KEYS)
  const { signatureAlgorithm: algorithm } = csr
  if (!isSignatureAlgorithm(algorithm) || signatureAlgorithms[algorithm].keyKind !== csr.publicKey.asymmetricKeyType) {
    throw invalid(`${algorithm} is not an algorithm for its key`)
  }
  if (!(await cryptography.verify(algorithm, csr.publicKey, csr.info, csr.signature, 'der'))) {
    throw invalid('it is not signed with the key that it names')
  }
}

function readCsr(der: Buffer): Csr {
  checkDer(der)
  const outer = new DerReader(der).enter(Tag.sequence, 'the request')
  const info = outer.element(Tag.sequence, 'the signed part')
  const algorithm = outer.element(Tag.sequence, 'the signature algorithm')
  const signature = outer.octetAlignedBits('the signature')
  outer.finish('the request')

  const fields = new DerReader(info).enter(Tag.sequence, 'the signed part')
  if (fields.smallInteger('the version') !== VERSION_1) throw new DerError('it is not of version 1')
  const subject = fields.element(Tag.sequence, 'the subject')
  checkName(subject, 'the subject')
  const spki = fields.element(Tag.sequence, 'the public key')
  const attributes = fields.enter(ATTRIBUTES_TAG, 'the attributes')
  fields.finish('the signed part')
  const { uriSans, dnsSans, isCa } = readRequestedExtensions(attributes)
  const signatureAlgorithm = nameOfAlgorithm(algorithm)
  return {
    spki,
    publicKey: publicKeyOfSpki(spki),
    subject,
    uriSans,
    dnsSans,
    isCa,
    signatureAlgorithm,
    info,
    signature,
  }
}

function readRequestedExtensions(attributes: DerReader): Extensions {
  let extensions: Extensions | undefined
  while (!attributes.atEnd) {
    const attribute = attributes.enter(Tag.sequence, 'an attribute')
    const oid = attribute.oid('an attribute')
    const values = attribute.enter(Tag.set, 'the values of an attribute')
    attribute.finish('an attribute')
    if (oid !== EXTENSION_REQUEST) continue
    if (extensions !== undefined) throw new DerError('extensions are asked for twice')
    extensions = readExtensions(values.enter(Tag.sequence, 'the extensions'))
    values.finish('the extensions')
  }
  return extensions ?? noExtensions()
}

function invalid(why: string, cause?: unknown): SallyportError {
  return new SallyportError('CSR_INVALID', `Cannot accept the signing request: ${why}`, { cause })
}
