/** What `smoke.mjs` prints where everything works. */
export const smokeLines: readonly string[] = [
  'source spiffe://example.org/web',
  'https hello spiffe://example.org/web',
  'wrong server PEER_REFUSED',
  'rotated spiffe://example.org/api',
  'token spiffe://example.org/api',
  'proof hello spiffe://example.org/api',
  'signed hello spiffe://example.org/api by spiffe://example.org/api',
  'expired CERTIFICATE_EXPIRED',
  'federated spiffe://partner.test/caller',
  'federated BUNDLE_UNKNOWN BUNDLE_ENDPOINT_UNTRUSTED',
  'withdrawn IDENTITY_NOT_HELD',
]
