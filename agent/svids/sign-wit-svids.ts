import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import { algorithmOf } from '../../src/key/signature-algorithm.ts'
import { verifyWitSvid } from '../../src/wit/verify-wit-svid.ts'
import { spkiOf } from '../../src/x509/spki.ts'
import type { Entitlements } from '../entries/entitlements.ts'
import { BACKDATED_MS } from '../upstream/timing.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { HeldWitSvid, WitMaterial } from './held-wit-svid.ts'
import { type Asked, signSvids, type SignSvidsDeps, unusable, type Verified } from './sign-svids.ts'

interface Deps extends SignSvidsDeps {
  readonly entitlements: Pick<Entitlements, 'bundles'>
  readonly upstream: Pick<Upstream, 'signWitSvids'>
  readonly cryptography: Cryptography
}

/** As {@link signSvids}, WIT-SVIDs. */
export async function signWitSvids(
  entries: readonly RegistrationEntry[],
  deps: Deps,
  signal: AbortSignal,
): Promise<readonly (HeldWitSvid | Error)[]> {
  return await signSvids(entries, deps, {
    kind: 'WIT-SVID',
    order: ({ entry: { id: entryId }, keyPair: { publicKey, type } }) => ({
      ...{ entryId, publicKey: spkiOf(publicKey), signingAlgorithm: algorithmOf(type) },
    }),
    send: (orders) => deps.upstream.signWitSvids(orders, signal),
    verify: ({ token }, asked, now) => verify(token, asked, now, deps),
  })
}

async function verify(
  token: string,
  { entry, keyPair }: Asked,
  now: Date,
  { entitlements, cryptography }: Deps,
): Promise<Verified<WitMaterial>> {
  const svid = await verifyWitSvid(token, entitlements.bundles, { now, leewaySeconds: 0, cryptography })
  if (!svid.publicKey.equals(keyPair.publicKey)) throw unusable('WIT-SVID', entry, 'it is for another key')
  const alg = algorithmOf(keyPair.type)
  if (svid.algorithm !== alg) throw unusable('WIT-SVID', entry, `its key is to be used with ${svid.algorithm}`)
  return {
    spiffeId: svid.spiffeId,
    // Servers do not date tokens back.
    notBefore: new Date(now.getTime() - BACKDATED_MS),
    notAfter: svid.expiresAt,
    authorityKeyId: svid.keyId,
    material: { token, privateJwk: JSON.stringify({ ...keyPair.privateKey.export({ format: 'jwk' }), alg }) },
  }
}
