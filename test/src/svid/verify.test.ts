import { beforeAll, describe, expect, test } from 'vitest'
import { bundleOf } from '../../../src/bundle/bundle.ts'
import { type BundleSet, bundleSetOf } from '../../../src/bundle/bundle-set.ts'
import { signJws } from '../../../src/jws/sign-jws.ts'
import { type CertificateChain, verifyJwtSvid, verifyX509Svid } from '../../../src/svid/verify.ts'
import { X509_SVID_MAX_CHAIN } from '../../../src/svid/x509-svid.ts'
import { printPem } from '../../../src/x509/pem.ts'
import { TestAuthority, type TestSvid } from '../../../src/testing/test-authority.ts'

let home: TestAuthority
let svid: TestSvid
let bundles: BundleSet

beforeAll(async () => {
  home = await TestAuthority.create()
  svid = await (await home.intermediate()).issue('/web')
  const jwtAuthorities = [{ keyId: 'k', publicKey: home.keyPair.publicKey, expiresAt: undefined, tainted: false }]
  bundles = bundleSetOf([bundleOf({ ...home.bundle(), jwtAuthorities })])
})

describe('verifyX509Svid()', () => {
  test.for<readonly [string, (svid: TestSvid) => CertificateChain]>([
    ['a list of DER', ({ chain }) => chain.map(({ der }) => new Uint8Array(der))],
    ['DER in a row', ({ chain }) => Buffer.concat(chain.map(({ der }) => der))],
    ['PEM', ({ chain }) => printPem(chain)],
  ])('takes a chain as %s', async ([, form]) => {
    const { spiffeId, chain } = await verifyX509Svid(form(svid), bundles)
    expect([spiffeId.toString(), chain.length]).toEqual(['spiffe://example.org/web', 2])
  })

  test('is of now, unless another moment is asked for', async () => {
    const expired = await home.issue('/web', { notBefore: new Date(1e12), notAfter: new Date(1e12 + 3_600_000) })
    const chain = expired.chain.map(({ der }) => der)
    await expect(verifyX509Svid(chain, bundles)).rejects.toThrowCode('CERTIFICATE_EXPIRED')
    const root = await TestAuthority.create({ now: new Date(1e12), keyPair: home.keyPair })
    const old = await root.issue('/web')
    const known = bundleSetOf([root.bundle()])
    const verified = await verifyX509Svid([old.certificate.der], known, { now: new Date(1e12) })
    expect(verified.spiffeId.path).toBe('/web')
  })

  test('X5-32: tolerates a leaf without keyUsage when asked to', async () => {
    const { certificate } = await home.issue('/web', { keyUsage: undefined })
    await expect(verifyX509Svid([certificate.der], bundles)).rejects.toThrowCode('X509_SVID_INVALID', 'keyUsage')
    await verifyX509Svid([certificate.der], bundles, { missingKeyUsage: true })
  })

  test.for<readonly [string, () => CertificateChain]>([
    ['in a list', () => Array.from({ length: X509_SVID_MAX_CHAIN + 1 }, () => svid.certificate.der)],
    ['in a row', () => Buffer.concat(Array.from({ length: 30 }, () => svid.certificate.der))],
    ['in PEM', () => printPem(Array.from({ length: 30 }, () => svid.certificate))],
  ])('refuses a chain of more certificates than any has, %s', async ([, chain]) => {
    await expect(verifyX509Svid(chain(), bundles)).rejects.toThrowCode('X509_SVID_INVALID', 'more than 16')
  })

  test.for<readonly [string, () => CertificateChain]>([
    ['a list of garbage', () => [Buffer.from('garbage')]],
    ['garbage', () => Buffer.from('garbage')],
    ['a text', () => 'garbage'],
    ['more bytes than certificates have', () => Buffer.alloc(8 * 1024 * 1024)],
    ['nothing', () => []],
  ])('refuses %s', async ([, chain]) => {
    await expect(verifyX509Svid(chain(), bundles)).rejects.toThrow(/Cannot (read|accept)/)
  })
})

describe('verifyJwtSvid()', () => {
  const token = (): Promise<string> =>
    signJws(
      { kid: 'k', typ: 'JWT' },
      { sub: 'spiffe://example.org/web', aud: ['orders'], exp: 2_000_000_000, iat: 1_700_000_000 },
      home.signer,
      'ES256',
    )

  test('accepts a token for one of the audiences', async () => {
    expect((await verifyJwtSvid(await token(), ['reports', 'orders'], bundles)).spiffeId.path).toBe('/web')
  })

  test('is of now, unless another moment is asked for; leeway has its limit', async () => {
    const verifyAt = async (ms: number, leewaySeconds?: number) =>
      verifyJwtSvid(await token(), 'orders', bundles, { now: new Date(2e12 + ms), leewaySeconds })
    await verifyAt(4_000)
    await expect(verifyAt(5_000)).rejects.toThrowCode('JWT_SVID_EXPIRED')
    await expect(verifyAt(1_000, 0)).rejects.toThrowCode('JWT_SVID_EXPIRED')
    await expect(verifyAt(60_000, 3600)).rejects.toThrowCode('JWT_SVID_EXPIRED')
  })

  test('JW-13: no audience is a mistake of the caller, not every audience', async () => {
    await expect(verifyJwtSvid(await token(), [], bundles)).rejects.toBeInstanceOf(TypeError)
  })
})
