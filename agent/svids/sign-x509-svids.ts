import type { Clock } from '../../src/clock.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Cryptography, KeyPair } from '../../src/key/cryptography.ts'
import { verifyX509Svid } from '../../src/svid/verify-x509-svid.ts'
import { decodeCertificate } from '../../src/x509/decode-certificate.ts'
import { encodeCsr } from '../../src/x509/encode-csr.ts'
import { spkiOf } from '../../src/x509/spki.ts'
import type { Entitlements } from '../entries/entitlements.ts'
import type { Upstream, X509SvidResult } from '../upstream/upstream.ts'
import { EXPIRY_MARGIN_MS, heldX509Svid, type HeldX509Svid } from './held-x509-svid.ts'
import type { KeyPool } from './key-pool.ts'
import { renewalTime, type Random } from '../upstream/timing.ts'

interface Deps {
  readonly entitlements: Entitlements
  readonly upstream: Pick<Upstream, 'signX509Svids'>
  readonly clock: Clock
  readonly cryptography: Cryptography
  readonly random: Random
  readonly keys: KeyPool
}

/** Has an SVID signed for each entry, with a new key each: what was signed, or why not, in the order of the entries. */
export async function signX509Svids(
  entries: readonly RegistrationEntry[],
  deps: Deps,
  signal: AbortSignal,
): Promise<readonly (HeldX509Svid | Error)[]> {
  const keyPairs = await Promise.all(entries.map(() => deps.keys.take()))
  const orders = await Promise.all(
    entries.map(async (entry, index) => ({
      entryId: entry.id,
      csr: await encodeCsr(
        { keyPair: keyPairs[index] as KeyPair, uriSan: entry.spiffeId.toString() },
        deps.cryptography,
      ),
    })),
  )
  const results = await deps.upstream.signX509Svids(orders, signal)
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

/** Nothing reaches a workload that its peers would refuse: the chain, the id and the key are checked here once. */
async function checkedSvid(
  entry: RegistrationEntry,
  keyPair: KeyPair,
  result: X509SvidResult | undefined,
  { entitlements, clock, cryptography, random }: Deps,
): Promise<HeldX509Svid> {
  if (result === undefined) throw unusable(entry, 'it is missing from the answer')
  if ('refused' in result) throw result.refused
  const [leaf, ...intermediates] = result.chain.map((der) => decodeCertificate(der))
  if (leaf === undefined) throw unusable(entry, 'its chain is empty')
  const certificates = [leaf, ...intermediates] as const
  const now = clock.now()
  const { spiffeId } = await verifyX509Svid(certificates, entitlements.bundles, now, cryptography)
  if (!spiffeId.equals(entry.spiffeId)) throw unusable(entry, `it is for ${spiffeId.toString()}`)
  if (!leaf.spki.equals(spkiOf(keyPair.publicKey))) throw unusable(entry, 'it is for another key')
  const notAfter = new Date(Math.min(...certificates.map((certificate) => certificate.notAfter.getTime())))
  if (notAfter.getTime() - EXPIRY_MARGIN_MS <= now.getTime()) throw unusable(entry, 'it expires on arrival')
  return heldX509Svid({
    entry,
    spiffeId,
    certificates,
    privateKey: keyPair.privateKey,
    renewAt: renewalTime(leaf.notBefore, notAfter, random, now),
  })
}

const unusable = (entry: RegistrationEntry, why: string): SallyportError =>
  new SallyportError('SERVER_ANSWER_INVALID', `Cannot use the X509-SVID for entry ${entry.id}: ${why}`)
