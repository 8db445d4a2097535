import type { Clock } from '../../src/clock.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { KeyPair } from '../../src/key/cryptography.ts'
import { type Random, renewalTime } from '../upstream/timing.ts'
import { type HeldSvid, isLive, type SvidKind } from './held-svid.ts'
import type { KeyPool } from './key-pool.ts'

export interface SignSvidsDeps {
  readonly clock: Clock
  readonly random: Random
  readonly keys: KeyPool
}

/** What an SVID is asked for. */
export interface Asked {
  readonly entry: RegistrationEntry
  readonly keyPair: KeyPair
}

/** What the server has signed, verified with the bundles that the same agent serves, and for the key that was asked for. */
export interface Verified<Material> {
  readonly spiffeId: SpiffeId
  /** As servers date it: a little before it was signed. */
  readonly notBefore: Date
  readonly notAfter: Date
  readonly authorityKeyId: string | undefined
  /** What workloads get of it. */
  readonly material: Material
}

/** How SVIDs of one kind are asked for, and read when they come. */
export interface Signing<Order, Signed extends object, Material> {
  readonly kind: SvidKind
  readonly order: (asked: Asked) => Order | Promise<Order>
  readonly send: (orders: readonly Order[]) => Promise<readonly (Signed | { readonly refused: Error })[]>
  readonly verify: (signed: Signed, asked: Asked, now: Date) => Promise<Verified<Material>>
}

/** Has an SVID signed for each entry, with a new key each: what was signed, or why not, in the order of the entries. */
export async function signSvids<Order, Signed extends object, Material>(
  entries: readonly RegistrationEntry[],
  deps: SignSvidsDeps,
  signing: Signing<Order, Signed, Material>,
): Promise<readonly ((HeldSvid & Material) | Error)[]> {
  const asked = await Promise.all(entries.map(async (entry) => ({ entry, keyPair: await deps.keys.take() })))
  const orders = await Promise.all(asked.map((one) => signing.order(one)))
  const results = await signing.send(orders)
  return Promise.all(
    asked.map(async (one, index) => {
      try {
        return await checkedSvid(results[index], one, deps, signing)
      } catch (error) {
        return error instanceof Error ? error : new Error(String(error))
      }
    }),
  )
}

/** Nothing reaches a workload that its peers would refuse: signature, key, id and life are checked here once. */
async function checkedSvid<Order, Signed extends object, Material>(
  result: Signed | { readonly refused: Error } | undefined,
  asked: Asked,
  { clock, random }: SignSvidsDeps,
  { kind, verify }: Signing<Order, Signed, Material>,
): Promise<HeldSvid & Material> {
  const { entry } = asked
  if (result === undefined) throw unusable(kind, entry, 'it is missing from the answer')
  if ('refused' in result) throw result.refused
  const now = clock.now()
  const { spiffeId, notBefore, notAfter, authorityKeyId, material } = await verify(result, asked, now)
  if (!spiffeId.equals(entry.spiffeId)) throw unusable(kind, entry, `it is for ${spiffeId.toString()}`)
  if (!isLive({ notAfter }, now)) throw unusable(kind, entry, 'it expires on arrival')
  return {
    entryId: entry.id,
    entryRevision: entry.revisionNumber,
    entryCreatedAt: entry.createdAt,
    ...{ spiffeId, notAfter, authorityKeyId },
    renewAt: renewalTime(notBefore, notAfter, random, now),
    ...material,
  }
}

/** What the server has signed is of no use. */
export const unusable = (kind: SvidKind, { id }: RegistrationEntry, why: string): SallyportError =>
  new SallyportError('SERVER_ANSWER_INVALID', `Cannot use the ${kind} for entry ${id}: ${why}`)
