import {
  createECDH,
  createHash,
  createPrivateKey,
  createPublicKey,
  hash,
  sign as signNow,
  verify as verifyNow,
  type KeyObject,
} from 'node:crypto'
import type { Cryptography, KeyPair, SignatureAlgorithm, SignatureEncoding } from '../../src/key/cryptography.ts'
import type { KeyType } from '../../src/key/key-type.ts'
import { signatureAlgorithms } from '../../src/key/signature-algorithm.ts'
import { publicKeyOfSpki, spkiOf } from '../../src/x509/spki.ts'

const keyPairs: KeyPair[] = []
const publicIds = new WeakMap<KeyObject, Buffer>()

/** So many are made; then they come again, long after whoever had them before is gone. */
const KEY_PAIRS = 1024
/** What a SubjectPublicKeyInfo of P-256 begins with. */
const P256_SPKI = Buffer.from('3059301306072a8648ce3d020106082a8648ce3d030107034200', 'hex')

/** The nth key pair of every simulation: made once in a process, and the same in every process. */
function keyPairAt(count: number): KeyPair {
  const index = count % KEY_PAIRS
  for (let next = keyPairs.length; next <= index; next++) keyPairs.push(makeKeyPair(next))
  const pair = keyPairs[index]
  if (pair === undefined) throw new TypeError(`no key pair ${index}`)
  return pair
}

function makeKeyPair(index: number): KeyPair {
  const ecdh = createECDH('prime256v1')
  ecdh.setPrivateKey(createHash('sha256').update(`key pair ${index}`).digest())
  const point = ecdh.getPublicKey()
  const jwk = {
    kty: 'EC',
    crv: 'P-256',
    x: point.subarray(1, 33).toString('base64url'),
    y: point.subarray(33).toString('base64url'),
    d: ecdh.getPrivateKey().toString('base64url'),
  }
  const privateKey = createPrivateKey({ key: jwk, format: 'jwk' })
  const publicKey = publicKeyOfSpki(Buffer.concat([P256_SPKI, point]))
  publicIds.set(privateKey, idOf(publicKey))
  return { type: 'ec-p256', privateKey, publicKey }
}

/** An Ed25519 key from a seed of 32 bytes. */
export function ed25519Of(seed: Buffer): { readonly privateKey: KeyObject; readonly publicKey: KeyObject } {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed])
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  return { privateKey, publicKey: createPublicKey(privateKey) }
}

/** Keys that the simulation hands out in a fixed order. */
function keyMaker(): (type: KeyType) => Promise<KeyPair> {
  let count = 0
  return async (type) => {
    if (type !== 'ec-p256') throw new TypeError(`a simulation has no ${type} keys`)
    return keyPairAt(count++)
  }
}

/**
 * Signatures that only prove which key "signed" what: hashes, a hundred times cheaper than the real ones and the same in every run.
 * Whoever changes a byte, the key or the algorithm is found out as with real ones.
 */
export function cheapCryptography(): Cryptography {
  // A heartbeat is verified by one agent after the other: what was looked at last is not worked out again.
  let last: { readonly id: Buffer; readonly data: Buffer; readonly signature: Buffer } | undefined
  return {
    generateKeyPair: keyMaker(),
    sign: async (algorithm, key, data, encoding) => signatureOf(algorithm, key, data, encoding),
    async verify(algorithm, key, data, signature, encoding) {
      if (key.asymmetricKeyType !== signatureAlgorithms[algorithm].keyKind) return false
      if (algorithm !== 'EdDSA') return signatureOf(algorithm, key, data, encoding).equals(signature)
      const id = publicIdOf(key)
      if (last?.id.equals(id) !== true || !last.data.equals(data))
        last = { id, data: Buffer.from(data), signature: signatureOf(algorithm, key, data, encoding) }
      return last.signature.equals(signature)
    },
  }
}

/** Real signatures, made at once and in the order in which they are asked for. */
export function realCryptography(): Cryptography {
  return {
    generateKeyPair: keyMaker(),
    sign: async (algorithm, key, data, dsaEncoding) =>
      signNow(signatureAlgorithms[algorithm].hash, data, { key, dsaEncoding }),
    async verify(algorithm, key, data, signature, dsaEncoding) {
      if (key.asymmetricKeyType !== signatureAlgorithms[algorithm].keyKind) return false
      return verifyNow(signatureAlgorithms[algorithm].hash, data, { key, dsaEncoding }, signature)
    },
  }
}

function signatureOf(
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  data: Uint8Array,
  encoding: SignatureEncoding,
): Buffer {
  const id = publicIdOf(key)
  const signature = hash('sha512', Buffer.concat([id, Buffer.from(algorithm), data]), 'buffer')
  if (algorithm === 'EdDSA') return signature
  // Positive and of full length, so that both encodings always have the same size.
  const r = signature.subarray(0, 32)
  const s = signature.subarray(32)
  r[0] = ((r[0] ?? 0) & 0x3f) | 0x40
  s[0] = ((s[0] ?? 0) & 0x3f) | 0x40
  if (encoding === 'ieee-p1363') return signature
  return Buffer.concat([Buffer.from([0x30, 0x44, 0x02, 0x20]), r, Buffer.from([0x02, 0x20]), s])
}

function publicIdOf(key: KeyObject): Buffer {
  let id = publicIds.get(key)
  if (id === undefined) publicIds.set(key, (id = idOf(key.type === 'private' ? createPublicKey(key) : key)))
  return id
}

const idOf = (publicKey: KeyObject): Buffer => hash('sha256', spkiOf(publicKey), 'buffer')
