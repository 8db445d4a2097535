import type { Clock } from '../../src/clock.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Cryptography, KeyPair } from '../../src/key/cryptography.ts'
import { algorithmOf } from '../../src/key/signature-algorithm.ts'
import { verifyWitSvid } from '../../src/wit/verify-wit-svid.ts'
import { spkiOf } from '../../src/x509/spki.ts'
import type { Entitlements } from '../entries/entitlements.ts'
import { BACKDATED_MS, type Random, renewalTime } from '../upstream/timing.ts'
import type { Upstream, WitSvidResult } from '../upstream/upstream.ts'
import { EXPIRY_MARGIN_MS } from './held-x509-svid.ts'
import type { HeldWitSvid } from './held-wit-svid.ts'
import type { KeyPool } from './key-pool.ts'

interface Deps {
  readonly entitlements: Pick<Entitlements, 'bundles'>
  readonly upstream: Pick<Upstream, 'signWitSvids'>
  readonly clock: Clock
  readonly cryptography: Cryptography
  readonly random: Random
  readonly keys: KeyPool
}

/** Has a WIT-SVID signed for each entry, with a new key each: what was signed, or why not, in the order of the entries. */
export async function signWitSvids(
  entries: readonly RegistrationEntry[],
  deps: Deps,
  signal: AbortSignal,
): Promise<readonly (HeldWitSvid | Error)[]> {
  const keyPairs = await Promise.all(entries.map(() => deps.keys.take()))
  const orders = entries.map((entry, index) => {
    const { publicKey, type } = keyPairs[index] as KeyPair
    return { entryId: entry.id, publicKey: spkiOf(publicKey), signingAlgorithm: algorithmOf(type) }
  })
  const results = await deps.upstream.signWitSvids(orders, signal)
  return Promise.all(
    entries.map(async (entry, index) => {
      try {
        return await checkedSvid(entry, keyPairs[index] as KeyPair, results[index], deps)
      } catch (error) {
        return error instanceof Error ? error : new Error(String(error))
      }
    }),
  )
}

/**
 * Nothing reaches a workload that its peers would refuse: key, id and signature are checked here once, the latter with the bundle
 * that the same agent serves.
 */
async function checkedSvid(
  entry: RegistrationEntry,
  keyPair: KeyPair,
  result: WitSvidResult | undefined,
  { entitlements, clock, cryptography, random }: Deps,
): Promise<HeldWitSvid> {
  if (result === undefined) throw unusable(entry, 'it is missing from the answer')
  if ('refused' in result) throw result.refused
  const now = clock.now()
  const { token } = result
  const svid = await verifyWitSvid(token, entitlements.bundles, { now, leewaySeconds: 0, cryptography })
  if (!svid.spiffeId.equals(entry.spiffeId)) throw unusable(entry, `it is for ${svid.spiffeId.toString()}`)
  if (!svid.publicKey.equals(keyPair.publicKey)) throw unusable(entry, 'it is for another key')
  const algorithm = algorithmOf(keyPair.type)
  if (svid.algorithm !== algorithm) throw unusable(entry, `its key is to be used with ${svid.algorithm}`)
  const { expiresAt, keyId } = svid
  if (expiresAt.getTime() - EXPIRY_MARGIN_MS <= now.getTime()) throw unusable(entry, 'it expires on arrival')
  return {
    entryId: entry.id,
    entryRevision: entry.revisionNumber,
    entryCreatedAt: entry.createdAt,
    spiffeId: entry.spiffeId,
    token,
    privateJwk: JSON.stringify({ ...keyPair.privateKey.export({ format: 'jwk' }), alg: algorithm }),
    expiresAt,
    // Servers do not date tokens back.
    renewAt: renewalTime(new Date(now.getTime() - BACKDATED_MS), expiresAt, random, now),
    keyId,
  }
}

const unusable = (entry: RegistrationEntry, why: string): SallyportError =>
  new SallyportError('SERVER_ANSWER_INVALID', `Cannot use the WIT-SVID for entry ${entry.id}: ${why}`)
