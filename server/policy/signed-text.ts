import { hash } from 'node:crypto'
import type { Signature } from '../../src/wire/messages/sallyport-policy-v1.ts'
import { canonicalJson, type CanonicalValue } from '../../src/jws/canonical-json.ts'
import type { SignedText } from '../store/policy-rows.ts'

/** Something signed as messages carry it. */
export interface SignedContent {
  readonly content: Buffer
  readonly signatures: readonly Signature[]
}

export const signedContentOf = ({ content, signatures }: SignedText): SignedContent => ({
  content: Buffer.from(content),
  signatures: signatures.map(({ keyId, signature }) => ({
    keyId: Buffer.from(keyId, 'hex'),
    signature: Buffer.from(signature, 'base64'),
  })),
})

/** Plain data as the one text that is signed or hashed. */
export const canonicalText = (value: object): string => canonicalJson(value as unknown as CanonicalValue)

export const sha256Hex = (text: string | Uint8Array): string => hash('sha256', text)
