import type { KeyObject } from 'node:crypto'
import { SallyportError } from '../errors.ts'
import { nameOfAlgorithm } from './algorithm-identifier.ts'
import type { Certificate } from './certificate.ts'
import { type Extensions, noExtensions, readExtensions } from './decode-extensions.ts'
import { checkDer, DerError, Tag } from './der.ts'
import { DerReader, firstElementEnd } from './der-reader.ts'
import { checkName } from './name.ts'
import { publicKeyOfSpki } from './spki.ts'
import { readTime } from './time.ts'

/** The largest certificate that is read. */
export const CERTIFICATE_MAX_BYTES = 65_536
/** The most certificates and bytes that are read in one go: a bundle of a large trust domain. */
export const CERTIFICATES_MAX = 1_000
export const CERTIFICATES_MAX_BYTES = 4 * 1024 * 1024

const SERIAL_NUMBER_MAX_BYTES = 20
const VERSION_3 = 2
const VERSION_TAG = 0xa0
const EXTENSIONS_TAG = 0xa3

/** A key that was imported before; importing costs more than all the rest of reading a certificate. */
export interface KnownKey {
  readonly spki: Buffer
  readonly publicKey: KeyObject
}

/**
 * Reads one certificate of version 3 in strict DER: no indefinite or non-minimal length, nothing after the end,
 * no written defaults, inner and outer signature algorithm equal. Says nothing about trust.
 *
 * @throws {@link SallyportError} `CERTIFICATE_INVALID`
 */
export function decodeCertificate(der: Buffer, known?: KnownKey): Certificate {
  if (der.length > CERTIFICATE_MAX_BYTES) throw invalid(`longer than ${CERTIFICATE_MAX_BYTES} bytes`)
  // A copy: nobody changes the bytes afterwards, and a small certificate does not keep a large message in memory.
  return refusing(() => readCertificate(Buffer.from(der), known))
}

/**
 * Reads certificates that follow each other without padding, such as a chain in the Workload API. No bytes: an empty list.
 *
 * @throws {@link SallyportError} `CERTIFICATE_INVALID`
 */
export function decodeCertificates(concatenated: Buffer): Certificate[] {
  if (concatenated.length > CERTIFICATES_MAX_BYTES) throw invalid(`more than ${CERTIFICATES_MAX_BYTES} bytes of them`)
  const certificates: Certificate[] = []
  for (let at = 0; at < concatenated.length;) {
    if (certificates.length === CERTIFICATES_MAX) throw invalid(`more than ${CERTIFICATES_MAX} of them`)
    const start = at
    at = refusing(() => firstElementEnd(concatenated, start))
    certificates.push(decodeCertificate(concatenated.subarray(start, at)))
  }
  return certificates
}

function readCertificate(der: Buffer, known: KnownKey | undefined): Certificate {
  checkDer(der)
  const outer = new DerReader(der).enter(Tag.sequence, 'the certificate')
  const tbs = outer.element(Tag.sequence, 'the signed part')
  const outerAlgorithm = outer.element(Tag.sequence, 'the signature algorithm')
  const signature = outer.octetAlignedBits('the signature')
  outer.finish('the certificate')

  const fields = new DerReader(tbs).enter(Tag.sequence, 'the signed part')
  checkVersion(fields)
  const serialNumber = readSerialNumber(fields.integer('the serial number'))
  const innerAlgorithm = fields.element(Tag.sequence, 'the inner signature algorithm')
  if (!innerAlgorithm.equals(outerAlgorithm)) throw new DerError('the inner and outer signature algorithms differ')
  const issuer = fields.element(Tag.sequence, 'the issuer')
  checkName(issuer, 'the issuer')
  const validity = fields.enter(Tag.sequence, 'the validity')
  const notBefore = readTime(validity, 'the start of the validity')
  const notAfter = readTime(validity, 'the end of the validity')
  validity.finish('the validity')
  const subject = fields.element(Tag.sequence, 'the subject')
  checkName(subject, 'the subject')
  const spki = fields.element(Tag.sequence, 'the public key')
  const publicKey = known?.spki.equals(spki) === true ? known.publicKey : publicKeyOfSpki(spki)
  return {
    der,
    serialNumber,
    issuer,
    subject,
    notBefore,
    notAfter,
    publicKey,
    spki,
    ...readOptionalExtensions(fields),
    signatureAlgorithm: nameOfAlgorithm(outerAlgorithm),
    tbs,
    signature,
  }
}

function checkVersion(fields: DerReader): void {
  if (!fields.isNext(VERSION_TAG)) throw new DerError('it is not of version 3')
  const version = fields.enter(VERSION_TAG, 'the version')
  if (version.smallInteger('the version') !== VERSION_3) throw new DerError('it is not of version 3')
  version.finish('the version')
}

function readSerialNumber(content: Buffer): bigint {
  if (content[0]! >= 0x80 || content.length > SERIAL_NUMBER_MAX_BYTES) {
    throw new DerError(`the serial number is negative or longer than ${SERIAL_NUMBER_MAX_BYTES} bytes`)
  }
  return BigInt(`0x${content.toString('hex')}`)
}

function readOptionalExtensions(fields: DerReader): Extensions {
  if (fields.atEnd) return noExtensions()
  // The unique ids that may stand before are forbidden by RFC 5280 §4.1.2.8 and not read.
  const wrapped = fields.enter(EXTENSIONS_TAG, 'the extensions')
  fields.finish('the signed part')
  const list = wrapped.enter(Tag.sequence, 'the extensions')
  wrapped.finish('the extensions')
  return readExtensions(list)
}

function refusing<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (error instanceof DerError) throw invalid(error.message, error.cause)
    throw error
  }
}

function invalid(why: string, cause?: unknown): SallyportError {
  return new SallyportError('CERTIFICATE_INVALID', `Cannot read certificate: ${why}`, { cause })
}
