import type { KeyObject } from 'node:crypto'
import type { Signer } from '../../src/key/cryptography.ts'
import { type KeyType, keyTypes } from '../../src/key/key-type.ts'

/** The kinds of keys that a server keeps: those of authorities, and Ed25519 for the checkpoints of its audit journal. */
export type StoredKeyType = KeyType | 'ed25519'

/** Signs with a key of a store. One of a {@link KeyType} is a {@link Signer}. */
export interface StoredSigner<T extends StoredKeyType = StoredKeyType> {
  readonly keyType: T
  readonly publicKey: KeyObject
  readonly sign: Signer['sign']
}

/** Keeps the private keys of a server. They are made here, used here and never leave. */
export interface KeyStore {
  /**
   * Makes a key; it is durable when this resolves. A name is used once.
   *
   * @throws {@link SallyportError} `KEY_STORE_FAILED`
   */
  generate<T extends StoredKeyType>(name: string, keyType: T): Promise<StoredSigner<T>>
  /** The key of that name, or undefined. */
  signer(name: string): Promise<StoredSigner | undefined>
  /** Destroys a key; nothing happens when there is none. */
  remove(name: string): Promise<void>
  names(): Promise<readonly string[]>
}

/** Whether a key may sign for an authority. */
export function isAuthoritySigner(signer: StoredSigner | undefined): signer is StoredSigner<KeyType> {
  return signer !== undefined && signer.keyType !== 'ed25519'
}

/** The kind of a key, or undefined for kinds that no store of ours makes. */
export function storedKeyTypeOf(key: KeyObject): StoredKeyType | undefined {
  const { namedCurve, modulusLength } = key.asymmetricKeyDetails ?? {}
  if (key.asymmetricKeyType === 'ed25519') return 'ed25519'
  if (key.asymmetricKeyType === 'ec')
    return namedCurve === 'prime256v1' ? 'ec-p256' : namedCurve === 'secp384r1' ? 'ec-p384' : undefined
  return keyTypes.find((type) => key.asymmetricKeyType === 'rsa' && type === `rsa-${modulusLength}`)
}

/** Refuses names that could not be file names; they come from the program, never from outside. */
export function checkKeyName(name: string): void {
  if (!/^[a-z0-9][a-z0-9-]{0,99}$/.test(name))
    throw new TypeError(`"${name}" cannot name a key: not 1-100 of a-z 0-9 -`)
}
