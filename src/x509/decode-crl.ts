import { SallyportError } from '../errors.ts'
import { nameOfAlgorithm } from './algorithm-identifier.ts'
import { type Crl, serialKey } from './crl.ts'
import { readAuthorityKeyId } from './decode-extensions.ts'
import { checkDer, DerError, Tag } from './der.ts'
import { DerReader } from './der-reader.ts'
import { dottedOid } from './der-writer.ts'
import { ExtensionOid } from './extension-oids.ts'
import { checkName } from './name.ts'
import { readTime } from './time.ts'

/** The largest list that is read: one message of the Workload API holds no more. */
export const CRL_MAX_BYTES = 4 * 1024 * 1024

const VERSION_2 = 1
const EXTENSIONS_TAG = 0xa0

/**
 * Reads a complete certificate revocation list of version 2 in strict DER. Deltas, indirect lists and lists about a part of the
 * certificates carry critical extensions, are refused, and so are never taken for the whole truth.
 *
 * @throws {@link SallyportError} `CRL_INVALID`
 * @see RFC 5280 §5.1
 */
export function decodeCrl(der: Buffer): Crl {
  if (der.length > CRL_MAX_BYTES) throw invalid(`it is longer than ${CRL_MAX_BYTES} bytes`)
  try {
    // A copy: nobody changes the bytes afterwards, and a small list does not keep a large message in memory.
    return readCrl(Buffer.from(der))
  } catch (error) {
    if (error instanceof DerError) throw invalid(error.message, error)
    throw error
  }
}

function readCrl(der: Buffer): Crl {
  checkDer(der)
  const outer = new DerReader(der).enter(Tag.sequence, 'the list')
  const tbs = outer.element(Tag.sequence, 'the signed part')
  const outerAlgorithm = outer.element(Tag.sequence, 'the signature algorithm')
  const signature = outer.octetAlignedBits('the signature')
  outer.finish('the list')

  const fields = new DerReader(tbs).enter(Tag.sequence, 'the signed part')
  if (fields.smallInteger('the version') !== VERSION_2) throw new DerError('it is not of version 2')
  const innerAlgorithm = fields.element(Tag.sequence, 'the inner signature algorithm')
  if (!innerAlgorithm.equals(outerAlgorithm)) throw new DerError('the inner and outer signature algorithms differ')
  const issuer = fields.element(Tag.sequence, 'the issuer')
  checkName(issuer, 'the issuer')
  const thisUpdate = readTime(fields, 'the time of the list')
  const hasNext = fields.isNext(Tag.utcTime) || fields.isNext(Tag.generalizedTime)
  const nextUpdate = hasNext ? readTime(fields, 'the time of the next list') : undefined
  const revoked = fields.isNext(Tag.sequence) ? readRevoked(fields) : new Set<string>()
  const authorityKeyId = readExtensions(fields)
  fields.finish('the signed part')
  const signatureAlgorithm = nameOfAlgorithm(outerAlgorithm)
  return { issuer, thisUpdate, nextUpdate, revoked, authorityKeyId, signatureAlgorithm, tbs, signature }
}

function readRevoked(fields: DerReader): ReadonlySet<string> {
  const entries = fields.enter(Tag.sequence, 'the revoked certificates')
  const revoked = new Set<string>()
  while (!entries.atEnd) {
    const entry = entries.enter(Tag.sequence, 'a revoked certificate')
    revoked.add(serialKey(BigInt(`0x${entry.integer('a serial number').toString('hex')}`)))
    readTime(entry, 'the time of a revocation')
    if (!entry.atEnd) readEach(entry.enter(Tag.sequence, 'the extensions of an entry'))
    entry.finish('a revoked certificate')
  }
  return revoked
}

/** The key id of the issuer; every other extension may be there only if it can be passed over. */
function readExtensions(fields: DerReader): Buffer | undefined {
  if (fields.atEnd) return undefined
  const wrapped = fields.enter(EXTENSIONS_TAG, 'the extensions')
  const found = readEach(wrapped.enter(Tag.sequence, 'the extensions'))
  wrapped.finish('the extensions')
  return found
}

function readEach(list: DerReader): Buffer | undefined {
  let authorityKeyId: Buffer | undefined
  const seen = new Set<string>()
  while (!list.atEnd) {
    const extension = list.enter(Tag.sequence, 'an extension')
    const oid = extension.oid('an extension')
    if (seen.has(oid)) throw new DerError('an extension is there twice')
    seen.add(oid)
    const isCritical = extension.isNext(Tag.boolean) && extension.boolean('the flag of an extension')
    const value = extension.content(Tag.octetString, 'the value of an extension')
    extension.finish('an extension')
    if (oid === ExtensionOid.authorityKeyId) authorityKeyId = readAuthorityKeyId(value)
    else if (isCritical) {
      throw new DerError(`the extension ${dottedOid(Buffer.from(oid, 'latin1'))} is not understood`)
    }
  }
  return authorityKeyId
}

function invalid(why: string, cause?: unknown): SallyportError {
  return new SallyportError('CRL_INVALID', `Cannot read revocation list: ${why}`, { cause })
}
