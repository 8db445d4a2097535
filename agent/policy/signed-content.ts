import { createHash } from 'node:crypto'
import { SallyportError } from '../../src/errors.ts'
import { FAST_LANE_ENTRY_MAX_BYTES, LIFECYCLE_MAX_BYTES } from '../../src/policy/read-fast-lane.ts'
import { SLICE_MAX_BYTES } from '../../src/policy/read-slice.ts'
import { count, list, matching, oneOf, part, readDocument, type Shape } from '../../src/policy/shape.ts'
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

const KEYS_MAX = 32

// What the agent does not go by it hands on, so that workloads may be ahead of it: fields that it does not know are theirs to judge.
const name = matching(/./s, 'is empty')
const sha256Hex = matching(/^[0-9a-f]{64}$/, 'is no SHA-256')
const publicKey = matching(
  /^(?:[A-Za-z0-9+/]{4}){1,50}$|^(?:[A-Za-z0-9+/]{4}){0,49}(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)$/,
  'is no short base64',
)
const sliceHeader: Shape<SliceHeader> = part({
  v: oneOf(1),
  epoch: count,
  revision: count,
  asOf: count,
  trustDomain: name,
  spiffeId: name,
})
const fastLaneHeader: Shape<FastLaneHeader> = part({
  v: oneOf(1),
  epoch: count,
  sequence: count,
  previous: matching(/^(?:[0-9a-f]{64})?$/, 'is no SHA-256'),
})
const policyKeys: Shape<PolicyKeysDocument> = part({
  v: oneOf(1),
  epoch: count,
  version: count,
  trustDomain: name,
  keys: list(part({ keyId: sha256Hex, publicKey, use: oneOf('policy', 'second') })),
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
export function readPolicyKeys(content: Buffer): PolicyKeysDocument {
  const what = 'set of policy keys'
  const document = read(what, content, POLICY_KEYS_MAX_BYTES, policyKeys)
  if (document.keys.length > 0 && document.keys.length <= KEYS_MAX) return document
  throw refusedContent(what, `it has ${document.keys.length} keys, not 1 to ${KEYS_MAX}`)
}

function read<T>(what: string, content: Buffer, mostBytes: number, shape: Shape<T>): T {
  if (content.length > mostBytes) throw refusedContent(what, `it has more than ${mostBytes} bytes`)
  try {
    return readDocument(content, mostBytes, what, shape)
  } catch (cause) {
    throw refusedContent(what, 'it cannot be read', cause)
  }
}

export const refusedContent = (what: string, why: string, cause?: unknown): SallyportError =>
  new SallyportError('POLICY_CONTENT_REFUSED', `Cannot accept ${what}: ${why}`, { cause })

export const sha256 = (content: Buffer): Buffer => createHash('sha256').update(content).digest()
