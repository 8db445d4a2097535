import type { SignatureAlgorithm } from '../key/cryptography.ts'
import { signatureAlgorithms } from '../key/signature-algorithm.ts'
import { Tag } from './der.ts'
import { DerReader } from './der-reader.ts'
import { dottedOid, integer, NULL, oid, sequence, tagged } from './der-writer.ts'

const hashOids = {
  sha256: '2.16.840.1.101.3.4.2.1',
  sha384: '2.16.840.1.101.3.4.2.2',
  sha512: '2.16.840.1.101.3.4.2.3',
}
const hashBytes = { sha256: 32n, sha384: 48n, sha512: 64n }

const encoded = new Map<SignatureAlgorithm, Buffer>()
const byBytes = new Map<string, SignatureAlgorithm>()

for (const name of Object.keys(signatureAlgorithms) as SignatureAlgorithm[]) {
  const bytes = encode(name)
  encoded.set(name, bytes)
  byBytes.set(bytes.toString('latin1'), name)
}

function encode(name: SignatureAlgorithm): Buffer {
  const { keyKind, padding, hash, oid: dotted } = signatureAlgorithms[name]
  if (padding === 'pss' && hash !== null) return sequence(oid(dotted), pssParameters(hash))
  return keyKind === 'rsa' ? sequence(oid(dotted), NULL) : sequence(oid(dotted))
}

/** RSASSA-PSS with the same digest for content and mask and a salt of the digest's size: the only form that is taken. */
function pssParameters(hash: keyof typeof hashOids): Buffer {
  const digest = sequence(oid(hashOids[hash]), NULL)
  const mask = sequence(oid('1.2.840.113549.1.1.8'), digest)
  return sequence(tagged(0, digest), tagged(1, mask), tagged(2, integer(hashBytes[hash])))
}

/** The AlgorithmIdentifier of a signature in a certificate or CSR. */
export function encodeAlgorithm(name: SignatureAlgorithm): Buffer {
  return encoded.get(name)!
}

/** The algorithm with exactly these bytes: its parameters are part of the comparison. */
export function algorithmOfBytes(identifier: Buffer): SignatureAlgorithm | undefined {
  return byBytes.get(identifier.toString('latin1'))
}

/** A name to show: the algorithm's, or the object identifier of one that is not known. */
export function nameOfAlgorithm(identifier: Buffer): string {
  const known = algorithmOfBytes(identifier)
  if (known !== undefined) return known
  const content = new DerReader(identifier).enter(Tag.sequence, 'the algorithm').oid('the algorithm')
  return dottedOid(Buffer.from(content, 'latin1'))
}
