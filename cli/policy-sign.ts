import { createPrivateKey, createPublicKey, hash, sign, type KeyObject } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import { SallyportError } from '../src/errors.ts'
import { canonicalJson, type CanonicalValue } from '../src/jws/canonical-json.ts'
import { policiesService } from '../src/wire/messages/sallyport-server-v1.ts'
import { withServer } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { changed } from './policy-live.ts'
import { policyText } from './policy-source.ts'
import { usablePolicy } from './policy-validate.ts'
import type { Result } from './print.ts'

export interface SignOptions extends GlobalOptions {
  readonly key: string
  readonly submit: boolean
}

/** A second signature as it travels from the machine that made it to the server. Hex. */
interface SecondSignature {
  readonly digest: string
  readonly keyId: string
  readonly signature: string
}

/**
 * Signs a policy file as the second person (SE-45). The digest is computed from the file that this person has read, not taken from
 * the server that asks for it.
 */
export async function signPolicy(options: SignOptions, path: string): Promise<Result> {
  const { set } = await usablePolicy(path)
  const key = await ed25519Key(options.key)
  const digest = hash('sha256', canonicalJson(set as unknown as CanonicalValue))
  const given: SecondSignature = {
    digest,
    keyId: hash('sha256', createPublicKey(key).export({ type: 'spki', format: 'der' })),
    signature: sign(null, Buffer.from(`sallyport policy\n${digest}`), key).toString('hex'),
  }
  const warnings = await openToOthers(options.key)
  if (options.submit) return { ...(await submit(options, given)), warnings }
  // One line, for `>` and for `policy submit -`.
  return { value: given, sentence: JSON.stringify(given), warnings }
}

export async function submitSignature(options: GlobalOptions, path: string): Promise<Result> {
  return submit(options, readSignature(await policyText(path), path))
}

async function submit(options: GlobalOptions, { digest, keyId, signature }: SecondSignature): Promise<Result> {
  const request = {
    digest: Buffer.from(digest, 'hex'),
    keyId: Buffer.from(keyId, 'hex'),
    signature: Buffer.from(signature, 'hex'),
  }
  return withServer(options, async (transport) =>
    changed(await transport.client(policiesService).submitSignature(request)),
  )
}

const fields = { digest: 64, keyId: 64, signature: 128 } as const

function readSignature(text: string, path: string): SecondSignature {
  try {
    const read = JSON.parse(text) as Record<string, unknown>
    for (const [field, length] of Object.entries(fields)) {
      const value = read[field]
      if (typeof value !== 'string' || value.length !== length || !/^[0-9a-f]+$/.test(value)) throw new TypeError(field)
    }
    return read as unknown as SecondSignature
  } catch (cause) {
    throw new SallyportError('REQUEST_INVALID', `Cannot use ${path}: it is not what \`sallyport policy sign\` prints`, {
      cause,
      hint: 'Make it with `sallyport policy sign policy.yaml --key second.pem > signature.json`.',
    })
  }
}

async function ed25519Key(path: string): Promise<KeyObject> {
  const pem = await readFile(path, 'utf8')
  const refused = (): SallyportError =>
    new SallyportError('FILE_UNUSABLE', `Cannot sign with ${path}: it is not an Ed25519 private key in PEM`, {
      hint: 'Make one with `openssl genpkey -algorithm ed25519 -out second.pem`; its public half goes into policy.secondSigners.',
    })
  let key: KeyObject
  try {
    key = createPrivateKey(pem)
  } catch {
    // Without the cause: what a parser says about a key stays out of every log.
    throw refused()
  }
  if (key.asymmetricKeyType !== 'ed25519') throw refused()
  return key
}

async function openToOthers(path: string): Promise<string[]> {
  const { mode } = await stat(path)
  return (mode & 0o077) === 0 ? [] : [`Other users can read ${path}: make it 0600.`]
}
