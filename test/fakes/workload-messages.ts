import type { TestAuthority, TestSvid } from '../../src/testing/test-authority.ts'

/** An SVID as the Workload API sends it, with what the test changes. */
export const svidMessageOf = ({ chain, keyPair }: TestSvid, authority: TestAuthority, changes: object = {}) => ({
  spiffeId: chain[0].uriSans[0],
  x509Svid: Buffer.concat(chain.map(({ der }) => der)),
  x509SvidKey: keyPair.privateKey.export({ type: 'pkcs8', format: 'der' }),
  bundle: authority.certificate.der,
  hint: '',
  ...changes,
})

/** A message of the stream of X509-SVIDs. */
export const x509MessageOf = (svids: readonly object[], federatedBundles: Readonly<Record<string, Buffer>> = {}) => ({
  svids,
  crl: [],
  federatedBundles,
})
