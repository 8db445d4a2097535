import { generateKeyPair, type KeyObject, sign, verify } from 'node:crypto'
import type { Cryptography, KeyPair, SignatureAlgorithm, SignatureEncoding } from './cryptography.ts'
import { keyInput } from './key-input.ts'
import type { KeyType } from './key-type.ts'
import { signatureAlgorithms } from './signature-algorithm.ts'

/**
 * `node:crypto` in the thread pool, so that the event loop stays free and a batch uses every core.
 *
 * One exception: a lone P-256 signature is made at once, because the hop to a thread and back takes as long as it does.
 */
export const threadPoolCryptography: Cryptography = {
  generateKeyPair: generate,
  async sign(algorithm, key, data, encoding) {
    if (algorithm === 'ES256' && isAlone()) return sign('sha256', data, keyInput(algorithm, key, encoding))
    return signInPool(algorithm, key, data, encoding)
  },
  async verify(algorithm, key, data, signature, encoding) {
    // Node reads the key's own kind, so a mismatch must not fall through to another algorithm of the same digest.
    if (key.asymmetricKeyType !== signatureAlgorithms[algorithm].keyKind) return false
    return await new Promise((resolve) => {
      verify(
        signatureAlgorithms[algorithm].hash,
        data,
        keyInput(algorithm, key, encoding),
        signature,
        (error, verified) => {
          // OpenSSL reports some hostile keys and signatures as errors instead of as "no"; neither is verified.
          resolve(error === null && verified)
        },
      )
    })
  },
}

let inPool = 0
let signedThisTurn = false

/** True for the first signature of a turn of the event loop while the pool makes none: later ones are a batch. */
function isAlone(): boolean {
  if (inPool > 0 || signedThisTurn) return false
  signedThisTurn = true
  setImmediate(() => {
    signedThisTurn = false
  })
  return true
}

function signInPool(
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  data: Uint8Array,
  encoding: SignatureEncoding,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    sign(signatureAlgorithms[algorithm].hash, data, keyInput(algorithm, key, encoding), (error, signature) => {
      inPool--
      if (error === null) resolve(signature)
      else reject(error)
    })
    inPool++
  })
}

function generate(type: KeyType): Promise<KeyPair> {
  return new Promise((resolve, reject) => {
    const done = (error: Error | null, publicKey: KeyObject, privateKey: KeyObject): void => {
      if (error === null) resolve({ type, publicKey, privateKey })
      else reject(error)
    }
    switch (type) {
      case 'ec-p256':
        return generateKeyPair('ec', { namedCurve: 'prime256v1' }, done)
      case 'ec-p384':
        return generateKeyPair('ec', { namedCurve: 'secp384r1' }, done)
      case 'rsa-2048':
        return generateKeyPair('rsa', { modulusLength: 2048 }, done)
      case 'rsa-4096':
        return generateKeyPair('rsa', { modulusLength: 4096 }, done)
    }
  })
}
