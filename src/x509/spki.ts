import { createPublicKey, hash, type KeyObject } from 'node:crypto'
import { namedCurveOf } from '../key/named-curve.ts'
import { DerError, Tag } from './der.ts'
import { DerReader } from './der-reader.ts'

/** The largest RSA modulus that is handed to OpenSSL, in bytes; what is accepted is smaller still. */
const RSA_MODULUS_MAX_BYTES = 2048
const RSA_EXPONENT_MAX_BYTES = 8

const ED25519_PREFIX = Buffer.from('302a300506032b6570032100', 'hex')
const RSA_ALGORITHM = Buffer.from('300d06092a864886f70d0101010500', 'hex')

/**
 * Reads a SubjectPublicKeyInfo: RSA, or a point of a named curve.
 *
 * Its form is checked before OpenSSL sees it, because curves given by explicit parameters and compressed points are
 * where a key in a certificate has made parsers run for ever.
 */
export function publicKeyOfSpki(spki: Buffer): KeyObject {
  if (namedCurveOf(spki) === undefined && !isEd25519(spki)) checkRsa(spki)
  try {
    return createPublicKey({ key: spki, format: 'der', type: 'spki' })
  } catch (error) {
    throw new DerError('the public key is not a key', { cause: error })
  }
}

function isEd25519(spki: Buffer): boolean {
  const prefix = ED25519_PREFIX
  return spki.length === prefix.length + 32 && spki.compare(prefix, 0, prefix.length, 0, prefix.length) === 0
}

function checkRsa(spki: Buffer): void {
  const info = new DerReader(spki).enter(Tag.sequence, 'the public key')
  if (!info.element(Tag.sequence, 'the algorithm of the public key').equals(RSA_ALGORITHM)) {
    throw new DerError('the public key is neither RSA nor on a named curve')
  }
  const bits = info.octetAlignedBits('the public key')
  info.finish('the public key')
  const outer = new DerReader(bits)
  const key = outer.enter(Tag.sequence, 'the RSA key')
  outer.finish('the RSA key')
  const modulus = key.integer('the RSA modulus')
  const exponent = key.integer('the RSA exponent')
  key.finish('the RSA key')
  if (modulus[0]! >= 0x80 || exponent[0]! >= 0x80) throw new DerError('the RSA key is negative')
  if (modulus.length > RSA_MODULUS_MAX_BYTES + 1 || exponent.length > RSA_EXPONENT_MAX_BYTES) {
    throw new DerError('the RSA key is too large')
  }
}

/** The key identifier of a public key as SPIRE and RFC 5280 §4.2.1.2 (1) make it: SHA-1 of the bits of the key. A name, not a protection. */
export function subjectKeyIdOf(spki: Buffer): Buffer {
  const info = new DerReader(spki).enter(Tag.sequence, 'the public key')
  info.element(Tag.sequence, 'the algorithm of the public key')
  return hash('sha1', info.octetAlignedBits('the public key'), 'buffer')
}

// A key never changes, and exporting one takes longer than most of what is done with it. Only those that were asked for are here: in a
// map of every key that was ever read the collector would look for a long time.
const exported = new WeakMap<KeyObject, Buffer>()

/** The DER SubjectPublicKeyInfo of a public key; the same bytes each time, so nobody writes into them. */
export function spkiOf(publicKey: KeyObject): Buffer {
  let spki = exported.get(publicKey)
  if (spki === undefined) exported.set(publicKey, (spki = publicKey.export({ type: 'spki', format: 'der' })))
  return spki
}
