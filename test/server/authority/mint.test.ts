import { X509Certificate } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { type Csr, decodeCsr } from '../../../src/x509/csr.ts'
import { encodeCsr } from '../../../src/x509/encode-csr.ts'
import { encodeName } from '../../../src/x509/name.ts'
import { AuthorityWorld } from './authority-world.ts'

let world: AuthorityWorld
let csr: Csr
beforeAll(async () => {
  world = await AuthorityWorld.open()
  const keyPair = await cryptography.generateKeyPair('ec-p256')
  csr = decodeCsr(
    await encodeCsr(
      { keyPair, uriSan: 'spiffe://example.org/minted', dnsSans: ['minted.internal'], commonName: 'minted' },
      cryptography,
    ),
  )
})

describe('mintX509Svid()', () => {
  test('takes id, DNS names and subject from the request', async () => {
    const { certificate, spiffeId, expiresAt } = await world.issuer.mintX509Svid(csr, {
      ttlSeconds: 60,
      callerId: 'admin',
    })
    expect(spiffeId.toString()).toBe('spiffe://example.org/minted')
    expect(certificate.dnsSans).toEqual(['minted.internal'])
    expect(new X509Certificate(certificate.der).subject).toBe('CN=minted')
    expect(expiresAt.getTime() - world.clock.now().getTime()).toBe(60_000)
    const [record] = await world.audit('x509-svid.issued')
    expect(record?.facts).toMatchObject({ callerId: 'admin', subject: csr.subject.toString('hex') })
  })

  test('an empty subject stays empty', async () => {
    const { certificate } = await world.issuer.mintX509Svid({ ...csr, subject: Buffer.from('3000', 'hex') }, {})
    expect(certificate.subject.toString('hex')).toBe('3000')
  })

  test('a subject is carried over byte for byte', async () => {
    const subject = encodeName({ country: 'DE', organization: 'Example', commonName: 'Ünicode' })
    const { certificate } = await world.issuer.mintX509Svid({ ...csr, subject }, {})
    expect(certificate.subject).toEqual(subject)
  })

  test.for([
    ['X5-01', { uriSans: [] }, 'CSR URI SAN is required'],
    ['X5-01', { uriSans: ['spiffe://example.org/a', 'spiffe://example.org/b'] }, 'only one URI SAN is expected'],
    ['SV-11', { uriSans: ['https://example.org/a'] }, 'is not a SPIFFE ID'],
    ['SV-01', { uriSans: ['spiffe://other.org/a'] }, 'not in trust domain'],
    ['X5-04', { uriSans: ['spiffe://example.org'] }, 'has no path'],
    ['SV-11', { uriSans: ['spiffe://example.org/spire/server'] }, 'is reserved'],
    ['SV-11', { dnsSans: ['under_score'] }, 'has a character other than'],
    ['SV-11', { dnsSans: ['a.'] }, 'ends with a dot'],
    ['SV-11', { dnsSans: ['*.a.internal', 'web.a.internal'] }, 'a wildcard covers'],
    ['X5-07', { isCa: true }, 'asks for a signing certificate'],
  ] as const)('%s refuses a request with %j', async ([, change, words]) => {
    await expect(world.issuer.mintX509Svid({ ...csr, ...change }, {})).rejects.toThrowCode('CSR_INVALID', words)
  })

  test('X5-27 refuses a request that its key did not sign', async () => {
    const signature = Buffer.from(csr.signature)
    signature[signature.length - 1]! ^= 1
    await expect(world.issuer.mintX509Svid({ ...csr, signature }, {})).rejects.toThrowCode('CSR_INVALID', 'not signed')
  })
})
