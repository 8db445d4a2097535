import { hash, sign } from 'node:crypto'
import { SallyportError } from '../src/errors.ts'
import { canonicalJson, type CanonicalValue } from '../src/jws/canonical-json.ts'
import { policiesService } from '../src/wire/messages/sallyport-server-v1.ts'
import { withServer } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { readEd25519Key } from './ed25519-key.ts'
import { changed } from './policy-live.ts'
import { policyText } from './policy-source.ts'
import { usablePolicy } from './policy-validate.ts'
import type { Result } from './print.ts'

export interface SignOptions extends GlobalOptions {
  readonly key: string
  readonly submit: boolean
}

const KEY_HINT =
  'Make one with `openssl genpkey -algorithm ed25519 -out second.pem`; its public half goes into policy.secondSigners.'

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
  const { privateKey, keyId, warnings } = await readEd25519Key(options.key, KEY_HINT)
  const digest = hash('sha256', canonicalJson(set as unknown as CanonicalValue))
  const given: SecondSignature = {
    digest,
    keyId,
    signature: sign(null, Buffer.from(`sallyport policy\n${digest}`), privateKey).toString('hex'),
  }
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
