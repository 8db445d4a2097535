import { createHash } from 'node:crypto'
import * as z from 'zod'
import { SallyportError } from '../../src/errors.ts'
import { FAST_LANE_ENTRY_MAX_BYTES, LIFECYCLE_MAX_BYTES } from '../../src/policy/read-fast-lane.ts'
import { SLICE_MAX_BYTES } from '../../src/policy/read-slice.ts'
import type { PolicyKeysDocument } from '../../src/policy/signed-documents.ts'
import type { Signature } from '../../src/wire/messages/sallyport-policy-v1.ts'

/** Bytes that the server signed, as they travel: the agent passes them on unchanged. */
export interface Signed {
  readonly content: Buffer
  readonly signatures: readonly Signature[]
}

/** What the agent reads of a slice; the rest is for the workload whose identity it names. */
export interface SliceHeader {
  readonly epoch: number
  readonly revision: number
  readonly asOf: number
  readonly trustDomain: string
  readonly spiffeId: string
}

/** What the agent reads of an entry or of a snapshot of the fast lane. */
export interface FastLaneHeader {
  readonly epoch: number
  readonly sequence: number
  readonly previous: string
}

export const POLICY_KEYS_MAX_BYTES = 64 * 1024

const count = z.number().int().min(0)
const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/)
const sliceHeader = z.object({
  v: z.literal(1),
  epoch: count,
  revision: count,
  asOf: count,
  trustDomain: z.string().min(1),
  spiffeId: z.string().min(1),
})
const fastLaneHeader = z.object({
  v: z.literal(1),
  epoch: count,
  sequence: count,
  previous: z.union([z.literal(''), sha256Hex]),
})
const policyKeys = z.object({
  v: z.literal(1),
  epoch: count,
  version: count,
  trustDomain: z.string().min(1),
  keys: z
    .array(z.object({ keyId: sha256Hex, publicKey: z.base64().max(200), use: z.enum(['policy', 'second']) }))
    .min(1)
    .max(32),
})

/** @throws {@link SallyportError} `POLICY_CONTENT_REFUSED`; the signature is checked elsewhere */
export const readSlice = (content: Buffer): SliceHeader => read('slice', content, SLICE_MAX_BYTES, sliceHeader)

/** @throws {@link SallyportError} `POLICY_CONTENT_REFUSED` */
export const readFastLaneEntry = (content: Buffer): FastLaneHeader =>
  read('entry of the fast lane', content, FAST_LANE_ENTRY_MAX_BYTES, fastLaneHeader)

/** @throws {@link SallyportError} `POLICY_CONTENT_REFUSED` */
export const readLifecycle = (content: Buffer): FastLaneHeader =>
  read('snapshot of the fast lane', content, LIFECYCLE_MAX_BYTES, fastLaneHeader)

/** @throws {@link SallyportError} `POLICY_CONTENT_REFUSED` */
export const readPolicyKeys = (content: Buffer): PolicyKeysDocument =>
  read('set of policy keys', content, POLICY_KEYS_MAX_BYTES, policyKeys)

function read<T>(what: string, content: Buffer, mostBytes: number, form: z.ZodType<T>): T {
  if (content.length > mostBytes) throw refusedContent(what, `it has more than ${mostBytes} bytes`)
  try {
    return form.parse(JSON.parse(content.toString('utf8')))
  } catch (cause) {
    throw refusedContent(what, 'it cannot be read', cause)
  }
}

export const refusedContent = (what: string, why: string, cause?: unknown): SallyportError =>
  new SallyportError('POLICY_CONTENT_REFUSED', `Cannot accept ${what}: ${why}`, { cause })

export const sha256 = (content: Buffer): Buffer => createHash('sha256').update(content).digest()
