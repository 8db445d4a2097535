import type { Cryptography, KeyPair, Signer } from './cryptography.ts'

/** A signer whose private key lives in this process. */
export function signerOf(keyPair: KeyPair, cryptography: Cryptography): Signer {
  return {
    keyType: keyPair.type,
    publicKey: keyPair.publicKey,
    sign: (algorithm, data, encoding) => cryptography.sign(algorithm, keyPair.privateKey, data, encoding),
  }
}
