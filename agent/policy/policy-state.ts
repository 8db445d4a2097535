import { createHash } from 'node:crypto'
import { SallyportError } from '../../src/errors.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import type { SignedPolicyKeys, SignedSlice } from '../../src/wire/messages/sallyport-policy-v1.ts'
import type { FastLane, PolicyDelta } from '../../src/wire/messages/sallyport-sync-v1.ts'
import type { PushedPolicy, PushedSlices } from '../upstream/policy-messages.ts'
import { fromSnapshot, NO_FAST_LANE, withEntry, type FastLaneLog } from './fast-lane-log.ts'
import { PinnedKeys } from './pinned-keys.ts'
import { readSlice, refusedContent, sha256, type Signed } from './signed-content.ts'

export interface HeldSliceState {
  readonly spiffeId: string
  readonly epoch: number
  readonly asOf: number
  /** SHA-256 of the content. */
  readonly digest: Buffer
  readonly signed: Signed
  /** The key that signed it is trusted no longer: it stays in force, and is asked for again. */
  readonly isOutdated?: boolean | undefined
}

/** Everything of policy that an agent holds at one moment. Immutable: each change that is believed makes the next one. */
export interface PolicyState {
  /** Of the policy; 0: there is none. */
  readonly epoch: number
  readonly revision: number
  /** By SPIFFE ID. */
  readonly slices: ReadonlyMap<string, HeldSliceState>
  readonly fastLane: FastLaneLog
  /** Undefined until the server has sent the first set. */
  readonly keys: PinnedKeys | undefined
}

export const NO_POLICY: PolicyState = {
  epoch: 0,
  revision: 0,
  slices: new Map(),
  fastLane: NO_FAST_LANE,
  keys: undefined,
}

export interface Believing {
  readonly trustDomain: string
  readonly cryptography: Cryptography
}

/**
 * The state after what the server pushed. All of a message is believed, or nothing of it.
 *
 * @throws {@link SallyportError} `POLICY_CONTENT_REFUSED`, and `SYNC_MISMATCH` when something before it is missing
 * @see SE-40, SE-45
 */
export async function stateAfter(state: PolicyState, pushed: PushedPolicy, believing: Believing): Promise<PolicyState> {
  const keys = await keysAfter(state.keys, pushed.keys, believing)
  const known = { ...state, keys, slices: await slicesUnder(state, keys, believing) }
  switch (pushed.kind) {
    case 'fastLane':
      return { ...known, fastLane: await fastLaneAfter(known, pushed, believing) }
    case 'policySnapshot':
      checkNotOlder(state, pushed)
      return withSlices(known, pushed, await replaced(known, pushed, believing))
    case 'policyDelta':
      checkNotOlder(state, pushed)
      return withSlices(known, pushed, await changed(known, pushed, believing))
  }
}

/**
 * The state after an administrator of this node has said which key to trust from now on. What the keys before it signed stays in
 * force, and is asked for again.
 */
export async function stateRepinned(state: PolicyState, keys: PinnedKeys, believing: Believing): Promise<PolicyState> {
  return { ...state, keys, slices: await slicesUnder(state, keys, believing) }
}

/** Those that a key vouches for that is trusted: the others are not counted as held, so that the server sends them again. */
export const trustedOf = (slices: PolicyState['slices']): PolicyState['slices'] =>
  new Map([...slices].filter(([, { isOutdated }]) => isOutdated !== true))

/** Digest of slices, as the server computes it (sync.proto). */
export function digestOf(slices: ReadonlyMap<string, Pick<HeldSliceState, 'digest'>>): Buffer {
  const sum = Buffer.alloc(32)
  for (const [spiffeId, { digest }] of slices) {
    const one = createHash('sha256').update(spiffeId).update('\0').update(digest).digest()
    for (const [index, byte] of one.entries()) sum[index] = ((sum[index] ?? 0) + byte) & 0xff
  }
  return sum
}

async function keysAfter(
  pinned: PinnedKeys | undefined,
  announced: SignedPolicyKeys | null,
  { trustDomain, cryptography }: Believing,
): Promise<PinnedKeys | undefined> {
  if (announced === null) return pinned
  return pinned === undefined
    ? PinnedKeys.pin(announced, trustDomain, cryptography)
    : pinned.next(announced, trustDomain, cryptography)
}

/** After a change of keys some slices may rest on a signature that counts no longer. */
async function slicesUnder(
  { slices, keys: before }: PolicyState,
  keys: PinnedKeys | undefined,
  { cryptography }: Believing,
): Promise<PolicyState['slices']> {
  if (keys === before || keys === undefined) return slices
  const looked = [...slices].map(async ([spiffeId, slice]): Promise<[string, HeldSliceState]> => {
    const isOutdated = !(await keys.hasSigned(slice.signed, cryptography))
    return [spiffeId, { ...slice, isOutdated }]
  })
  return new Map(await Promise.all(looked))
}

async function fastLaneAfter(
  { fastLane, keys }: PolicyState,
  { entries, snapshot }: FastLane,
  { cryptography }: Believing,
): Promise<FastLaneLog> {
  let log = fastLane
  if (snapshot !== null) {
    await keysFor(keys).verify(snapshot, 'snapshot of the fast lane', cryptography)
    log = fromSnapshot(log, snapshot)
  }
  for (const entry of entries) {
    await keysFor(keys).verify(entry, 'entry of the fast lane', cryptography)
    log = withEntry(log, entry)
  }
  return log
}

async function replaced(state: PolicyState, { slices }: PushedSlices, believing: Believing) {
  const believed = await Promise.all(slices.map((signed) => believedSlice(state, signed, believing)))
  return new Map(believed.map((slice) => [slice.spiffeId, slice]))
}

async function changed(state: PolicyState, { slices, removedIdentities }: PolicyDelta, believing: Believing) {
  const after = new Map(state.slices)
  for (const signed of slices) {
    const slice = await believedSlice(state, signed, believing)
    after.set(slice.spiffeId, slice)
  }
  for (const spiffeId of removedIdentities) after.delete(spiffeId)
  return after
}

async function believedSlice(
  { slices, keys }: PolicyState,
  signed: SignedSlice,
  { trustDomain, cryptography }: Believing,
): Promise<HeldSliceState> {
  const { spiffeId, epoch, asOf, trustDomain: ofDomain } = readSlice(signed.content)
  const held = slices.get(spiffeId)
  if (held?.isOutdated !== true && held?.signed.content.equals(signed.content)) return held
  await keysFor(keys).verify(signed, `slice of ${spiffeId}`, cryptography)
  if (ofDomain !== trustDomain) throw refusedContent(`slice of ${spiffeId}`, `it is of the trust domain ${ofDomain}`)
  if (held !== undefined && (epoch < held.epoch || (epoch === held.epoch && asOf < held.asOf))) {
    throw refusedContent(`slice of ${spiffeId}`, `it is older (${epoch}.${asOf}) than the one in force`)
  }
  return { spiffeId, epoch, asOf, digest: sha256(signed.content), signed }
}

function withSlices(
  state: PolicyState,
  { epoch, revision, digest }: { readonly epoch: number; readonly revision: number; readonly digest: Buffer },
  slices: ReadonlyMap<string, HeldSliceState>,
): PolicyState {
  // Whether outdated slices count for the server depends on when it heard of them.
  const isSame = digestOf(slices).equals(digest) || digestOf(trustedOf(slices)).equals(digest)
  if (isSame) return { ...state, epoch, revision, slices }
  throw new SallyportError('SYNC_MISMATCH', `Cannot follow the policy: the slices at revision ${revision} differ`)
}

/** A policy never goes back: an administrator who wants an old one again makes a new revision of it. */
function checkNotOlder(
  held: PolicyState,
  { epoch, revision }: { readonly epoch: number; readonly revision: number },
): void {
  if (epoch > held.epoch || (epoch === held.epoch && revision >= held.revision)) return
  throw refusedContent('policy', `revision ${epoch}.${revision} is older than ${held.epoch}.${held.revision}`)
}

function keysFor(keys: PinnedKeys | undefined): PinnedKeys {
  if (keys !== undefined) return keys
  throw refusedContent('policy', 'the server has named no key for it')
}
