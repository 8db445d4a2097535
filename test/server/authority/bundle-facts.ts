import type { Bundle } from '../../../src/bundle/bundle.ts'

/** Everything in a bundle but its sequence, as text to compare. */
export const printBundleTo = (bundle: Bundle): string =>
  JSON.stringify([
    bundle.x509Authorities.map(({ certificate, tainted }) => [certificate.der.toString('hex'), tainted]),
    bundle.jwtAuthorities.map(({ keyId, tainted }) => [keyId, tainted]),
    bundle.witAuthorities.map(({ keyId, tainted }) => [keyId, tainted]),
    bundle.refreshHintSeconds,
  ])
