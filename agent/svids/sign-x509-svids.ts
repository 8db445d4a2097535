import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import { verifyX509Svid } from '../../src/svid/verify-x509-svid.ts'
import { decodeCertificate } from '../../src/x509/decode-certificate.ts'
import { encodeCsr } from '../../src/x509/encode-csr.ts'
import { spkiOf } from '../../src/x509/spki.ts'
import type { Entitlements } from '../entries/entitlements.ts'
import type { Upstream } from '../upstream/upstream.ts'
import type { HeldX509Svid, X509Material } from './held-x509-svid.ts'
import { type Asked, signSvids, type SignSvidsDeps, unusable, type Verified } from './sign-svids.ts'

interface Deps extends SignSvidsDeps {
  readonly entitlements: Pick<Entitlements, 'bundles'>
  readonly upstream: Pick<Upstream, 'signX509Svids'>
  readonly cryptography: Cryptography
}

/** As {@link signSvids}, X509-SVIDs. */
export async function signX509Svids(
  entries: readonly RegistrationEntry[],
  deps: Deps,
  signal: AbortSignal,
): Promise<readonly (HeldX509Svid | Error)[]> {
  return await signSvids(entries, deps, {
    kind: 'X509-SVID',
    order: async ({ entry: { id: entryId, spiffeId }, keyPair }) => ({
      ...{ entryId, csr: await encodeCsr({ keyPair, uriSan: spiffeId.toString() }, deps.cryptography) },
    }),
    send: (orders) => deps.upstream.signX509Svids(orders, signal),
    verify: ({ chain }, asked, now) => verify(chain, asked, now, deps),
  })
}

async function verify(
  chain: readonly Buffer[],
  { entry, keyPair: { publicKey, privateKey } }: Asked,
  now: Date,
  { entitlements, cryptography }: Deps,
): Promise<Verified<X509Material>> {
  const [leaf, ...intermediates] = chain.map((der) => decodeCertificate(der))
  if (leaf === undefined) throw unusable('X509-SVID', entry, 'its chain is empty')
  const certificates = [leaf, ...intermediates] as const
  const { spiffeId } = await verifyX509Svid(certificates, entitlements.bundles, now, cryptography)
  if (!leaf.spki.equals(spkiOf(publicKey))) throw unusable('X509-SVID', entry, 'it is for another key')
  const { notBefore, serialNumber } = leaf
  return {
    spiffeId,
    notBefore,
    // A chain is worth no more than its shortest-lived certificate.
    notAfter: new Date(Math.min(...certificates.map(({ notAfter }) => notAfter.getTime()))),
    authorityKeyId: certificates.at(-1)?.authorityKeyId?.toString('hex'),
    material: {
      chain: Buffer.concat(certificates.map(({ der }) => der)),
      privateKey: privateKey.export({ format: 'der', type: 'pkcs8' }),
      ...{ notBefore, serialNumber },
    },
  }
}
