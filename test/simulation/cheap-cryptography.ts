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
import { spkiOf } from '../../src/x509/spki.ts'

const keyPairs: KeyPair[] = []
const publicIds = new WeakMap<KeyObject, Buffer>()

/** The nth key pair of every simulation: made once in a process, and the same in every process. */
function keyPairAt(index: number): KeyPair {
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
  return { type: 'ec-p256', privateKey, publicKey: createPublicKey(privateKey) }
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
  return {
    generateKeyPair: keyMaker(),
    sign: async (algorithm, key, data, encoding) => signatureOf(algorithm, key, data, encoding),
    async verify(algorithm, key, data, signature, encoding) {
      if (key.asymmetricKeyType !== signatureAlgorithms[algorithm].keyKind) return false
      return signatureOf(algorithm, key, data, encoding).equals(signature)
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
  const r = hash('sha256', Buffer.concat([id, Buffer.from(algorithm), data]), 'buffer')
  const s = hash('sha256', r, 'buffer')
  if (algorithm === 'EdDSA') return Buffer.concat([r, s])
  // Positive and of full length, so that both encodings always have the same size.
  r[0] = ((r[0] ?? 0) & 0x3f) | 0x40
  s[0] = ((s[0] ?? 0) & 0x3f) | 0x40
  if (encoding === 'ieee-p1363') return Buffer.concat([r, s])
  return Buffer.concat([Buffer.from([0x30, 0x44, 0x02, 0x20]), r, Buffer.from([0x02, 0x20]), s])
}

function publicIdOf(key: KeyObject): Buffer {
  let id = publicIds.get(key)
  if (id === undefined) {
    id = hash('sha256', spkiOf(key.type === 'private' ? createPublicKey(key) : key), 'buffer')
    publicIds.set(key, id)
  }
  return id
}
