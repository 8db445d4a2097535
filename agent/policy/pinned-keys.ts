import { createPublicKey, type KeyObject } from 'node:crypto'
import { SallyportError } from '../../src/errors.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import type { PolicyKeyRow, PolicyKeysDocument } from '../../src/policy/signed-documents.ts'
import { readPolicyKeys, refusedContent, sha256, type Signed } from './signed-content.ts'

/**
 * The public keys that policy is believed from. The first set comes over the connection that the agent attested on and is pinned;
 * a later one must be newer and signed by a key of the one before (SE-45). Immutable.
 */
export class PinnedKeys {
  readonly signed: Signed
  readonly #document: PolicyKeysDocument
  readonly #keys: ReadonlyMap<string, KeyObject>

  private constructor(signed: Signed, document: PolicyKeysDocument) {
    this.signed = signed
    this.#document = document
    this.#keys = new Map(
      document.keys.filter(({ use }) => use === 'policy').map((row) => [row.keyId, publicKeyOf(row)] as const),
    )
  }

  get epoch(): number {
    return this.#document.epoch
  }

  get version(): number {
    return this.#document.version
  }

  get keyIds(): readonly string[] {
    return [...this.#keys.keys()]
  }

  /**
   * The first set: it must be signed by one of its own keys, so that whoever sends it holds one.
   *
   * @throws {@link SallyportError} `POLICY_CONTENT_REFUSED`
   */
  static async pin(signed: Signed, trustDomain: string, cryptography: Cryptography): Promise<PinnedKeys> {
    const keys = PinnedKeys.#read(signed, trustDomain)
    await keys.verify(signed, 'set of policy keys', cryptography)
    return keys
  }

  /**
   * The set that follows this one; this one when it is older, as when two streams overlap, or says nothing new.
   *
   * @throws {@link SallyportError} `POLICY_KEYS_UNTRUSTED` for one that no pinned key has signed, `POLICY_CONTENT_REFUSED`
   */
  async next(signed: Signed, trustDomain: string, cryptography: Cryptography): Promise<PinnedKeys> {
    if (signed.content.equals(this.signed.content)) return this
    const keys = PinnedKeys.#read(signed, trustDomain)
    if (!isNewer(keys.#document, this.#document)) return this
    if (await this.hasSigned(signed, cryptography)) return keys
    throw untrusted(signed, this.keyIds)
  }

  /**
   * The set that an administrator of this node wants to be pinned instead of this one, whoever signed this one: it must be newer, and
   * signed by the key that they name, which is one of its own.
   *
   * @throws {@link SallyportError} `POLICY_CONTENT_REFUSED`
   */
  async replacedBy(
    signed: Signed,
    keyId: string,
    trustDomain: string,
    cryptography: Cryptography,
  ): Promise<PinnedKeys> {
    const keys = PinnedKeys.#read(signed, trustDomain)
    if (!isNewer(keys.#document, this.#document))
      throw refusedContent('set of policy keys', 'it is older than the one held')
    if (!keys.#keys.has(keyId)) throw refusedContent('set of policy keys', `${keyId} is none of its keys`)
    const byKey = { ...signed, signatures: signed.signatures.filter((one) => one.keyId.toString('hex') === keyId) }
    await keys.verify(byKey, 'set of policy keys', cryptography)
    return keys
  }

  static #read(signed: Signed, trustDomain: string): PinnedKeys {
    const document = readPolicyKeys(signed.content)
    if (document.trustDomain === trustDomain) return new PinnedKeys(signed, document)
    throw refusedContent('set of policy keys', `it is of the trust domain ${document.trustDomain}`)
  }

  /**
   * Checks that a pinned key has signed these bytes.
   *
   * @param what for the message
   * @throws {@link SallyportError} `POLICY_CONTENT_REFUSED`
   */
  async verify(signed: Signed, what: string, cryptography: Cryptography): Promise<void> {
    if (await this.hasSigned(signed, cryptography)) return
    throw refusedContent(what, 'no policy key that this agent has pinned has signed it')
  }

  async hasSigned({ content, signatures }: Signed, cryptography: Cryptography): Promise<boolean> {
    for (const { keyId, signature } of signatures) {
      const key = this.#keys.get(keyId.toString('hex'))
      if (key !== undefined && (await cryptography.verify('EdDSA', key, content, signature, 'der'))) return true
    }
    return false
  }
}

const isNewer = (a: PolicyKeysDocument, b: PolicyKeysDocument): boolean =>
  a.epoch > b.epoch || (a.epoch === b.epoch && a.version > b.version)

function untrusted({ signatures }: Signed, pinned: readonly string[]): SallyportError {
  const short = (keyIds: readonly string[]): string => keyIds.map((id) => id.slice(0, SHOWN_OF_KEY_ID)).join(', ')
  const by = short(signatures.map(({ keyId }) => keyId.toString('hex')))
  return new SallyportError(
    'POLICY_KEYS_UNTRUSTED',
    `Cannot accept set of policy keys: it is signed by ${by || 'nobody'}, and this agent trusts ${short(pinned)}`,
  )
}

/** Of 64 characters: enough to find it in a list. */
const SHOWN_OF_KEY_ID = 16

function publicKeyOf({ keyId, publicKey }: PolicyKeyRow): KeyObject {
  const der = Buffer.from(publicKey, 'base64')
  if (sha256(der).toString('hex') !== keyId) throw refusedContent('set of policy keys', 'a key is not the one it names')
  try {
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch (cause) {
    throw refusedContent('set of policy keys', 'a key cannot be read', cause)
  }
  throw refusedContent('set of policy keys', 'a key is not Ed25519')
}
