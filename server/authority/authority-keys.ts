import type { KeyType } from '../../src/key/key-type.ts'
import type { Log } from '../../src/log/log.ts'
import { decodeCertificate } from '../../src/x509/decode-certificate.ts'
import { spkiOf } from '../../src/x509/spki.ts'
import { isAuthoritySigner, type KeyStore, type StoredSigner } from '../keys/key-store.ts'
import type { AuthorityRow } from '../store/store.ts'
import { publicDerOf } from './own-bundle.ts'

/** Signatures in flight may still use the key of an authority that has just become old. */
const KEY_STAYS_MS = 60_000
/** As `makeAuthority` names them; other keys in the same store are not ours to remove. */
const OWN_NAME = /^(x509|jwt|wit)-[0-9a-f]{32}$/

/** The private keys of authorities that sign or may come to sign. */
export class AuthorityKeys {
  readonly #keys: KeyStore
  readonly #log: Log
  readonly #signers = new Map<string, StoredSigner<KeyType>>()

  constructor(keys: KeyStore, log: Log) {
    this.#keys = keys
    this.#log = log
  }

  /** The key of an authority, once loaded. */
  of({ keyName }: AuthorityRow): StoredSigner<KeyType> | undefined {
    return this.#signers.get(keyName)
  }

  async load(row: AuthorityRow): Promise<void> {
    if (this.#signers.has(row.keyName) || row.state === 'removed' || row.state === 'old') return
    const signer = await this.#keys.signer(row.keyName)
    if (!isAuthoritySigner(signer)) return
    const published = row.kind === 'x509' ? decodeCertificate(publicDerOf(row)).spki : publicDerOf(row)
    if (spkiOf(signer.publicKey).equals(published)) this.#signers.set(row.keyName, signer)
    else this.#log.error({ kind: row.kind, authorityId: row.authorityId }, 'The key of an authority is not its own')
  }

  async remove({ keyName }: AuthorityRow): Promise<void> {
    this.#signers.delete(keyName)
    await this.#keys.remove(keyName)
  }

  /** Destroys keys that will never sign again, those that a crash left without an authority among them. */
  async sweep(rows: readonly AuthorityRow[], now: Date): Promise<void> {
    const needed = new Set(rows.filter((row) => mayNeedKey(row, now)).map(({ keyName }) => keyName))
    for (const name of await this.#keys.names()) {
      if (!OWN_NAME.test(name) || needed.has(name)) continue
      this.#signers.delete(name)
      await this.#keys.remove(name)
    }
  }
}

function mayNeedKey({ state, changedAt }: AuthorityRow, now: Date): boolean {
  if (state === 'old') return now.getTime() - changedAt.getTime() < KEY_STAYS_MS
  return state !== 'removed'
}
