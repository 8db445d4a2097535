import { createPrivateKey, hash, createPublicKey, type KeyObject } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { SallyportError } from '../src/errors.ts'

/** A private key in a file of its own, for what is signed by the command line. */
export interface Ed25519Key {
  readonly privateKey: KeyObject
  /** SPKI, DER. */
  readonly spki: Buffer
  /** SHA-256 of the SPKI, hex. */
  readonly keyId: string
  /** What is wrong with the file, though not so wrong that it cannot be used. */
  readonly warnings: readonly string[]
}

/** @throws {@link SallyportError} `FILE_UNUSABLE`, with this hint */
export async function readEd25519Key(path: string, hint: string): Promise<Ed25519Key> {
  const pem = await readFile(path, 'utf8')
  const refused = (): SallyportError =>
    new SallyportError('FILE_UNUSABLE', `Cannot sign with ${path}: it is not an Ed25519 private key in PEM`, { hint })
  let privateKey: KeyObject
  try {
    privateKey = createPrivateKey(pem)
  } catch {
    // Without the cause: what a parser says about a key stays out of every log.
    throw refused()
  }
  if (privateKey.asymmetricKeyType !== 'ed25519') throw refused()
  const spki = createPublicKey(privateKey).export({ type: 'spki', format: 'der' })
  const { mode } = await stat(path)
  const warnings = (mode & 0o077) === 0 ? [] : [`Other users can read ${path}: make it 0600.`]
  return { privateKey, spki, keyId: hash('sha256', spki), warnings }
}
