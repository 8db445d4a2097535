import { statSync } from 'node:fs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { House } from '../e2e/house.ts'
import { run } from '../e2e/processes.ts'
import { OpensslPeer } from './openssl-peer.ts'
import { describeTlsTable } from './tls-table.ts'
import { describeUnless, missing } from '../unless.ts'

describeUnless(missing('openssl'), 'openssl with the files of sallyport fetch', () => {
  let house: House

  beforeAll(async () => {
    house = await House.open()
    await house.register('/ns/web/sa/storefront', '--dns', 'storefront.internal', '--x509-ttl', '10m')
    await house.json('fetch', 'x509', '--write', house.path('svid'))
  }, 60_000)

  afterAll(async () => house?.[Symbol.asyncDispose]())

  const openssl = (...args: readonly string[]) => run('openssl', args)

  test.for(['sslserver', 'sslclient'])('IO-01 verify -x509_strict accepts the chain as %s', async (purpose) => {
    const { stdout, stderr } = await openssl(
      'verify',
      '-x509_strict',
      '-purpose',
      purpose,
      '-CAfile',
      house.path('svid/bundle.pem'),
      house.path('svid/svid.pem'),
    )
    expect(stdout + stderr).toMatch(/: OK/)
  })

  test('reads the id and the DNS name', async () => {
    const { stdout } = await openssl('x509', '-in', house.path('svid/svid.pem'), '-noout', '-text')
    expect(stdout).toContain('URI:spiffe://example.org/ns/web/sa/storefront')
    expect(stdout).toContain('DNS:storefront.internal')
    expect(stdout).toMatch(/X509v3 Key Usage: critical\s+Digital Signature/)
    expect(stdout).toMatch(/X509v3 Basic Constraints: critical\s+CA:FALSE/)
  })

  test('WA-23 the key belongs to the certificate, and only its owner may read it', async () => {
    const [ofCertificate, ofKey] = await Promise.all([
      openssl('x509', '-in', house.path('svid/svid.pem'), '-noout', '-pubkey'),
      openssl('pkey', '-in', house.path('svid/key.pem'), '-pubout'),
    ])
    expect(ofKey.stdout).toBe(ofCertificate.stdout)
    expect(statSync(house.path('svid/key.pem')).mode & 0o777).toBe(0o600)
  })

  describeTlsTable('openssl', () => new OpensslPeer(), ['tls'])
})
