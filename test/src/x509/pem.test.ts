import { X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import { printPem, readPemCertificates } from '../../../src/x509/pem.ts'
import { TestAuthority, type TestSvid } from '../../../src/testing/test-authority.ts'

let svid: TestSvid

beforeAll(async () => {
  svid = await (await (await TestAuthority.create()).intermediate()).issue()
})

describe('printPem() and readPemCertificates()', () => {
  test('what is printed is read back, and Node reads it too', () => {
    const text = printPem(svid.chain)
    expect(readPemCertificates(text).map(({ der }) => der)).toEqual(svid.chain.map(({ der }) => der))
    expect(new X509Certificate(text).raw).toEqual(svid.certificate.der)
    expect(text.split('\n').every((line) => line.length <= 64)).toBe(true)
  })

  test('passes over comments, other blocks and line ends of Windows', () => {
    const key = svid.keyPair.privateKey.export({ type: 'pkcs8', format: 'pem' })
    const text = `# a comment\n${key}\n${printPem(svid.chain).replaceAll('\n', '\r\n')}`
    expect(readPemCertificates(text)).toHaveLength(2)
  })

  test.for([
    ['', 'no certificate'],
    ['hello', 'no certificate'],
    ['-----BEGIN CERTIFICATE-----\nAAAA', 'has no end'],
    ['-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----', 'not base64'],
    ['-----BEGIN CERTIFICATE-----\nA$AA\n-----END CERTIFICATE-----', 'not base64'],
    ['-----BEGIN CERTIFICATE-----\nMA=\n-----END CERTIFICATE-----', 'not base64'],
    ['-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----', 'missing'],
  ] as const)('refuses %j: %s', ([text, why]) => {
    expect(() => readPemCertificates(text)).toThrowCode('CERTIFICATE_INVALID', why)
  })

  test('on any text it returns or throws CERTIFICATE_INVALID', () => {
    const piece = fc.constantFrom('-----BEGIN CERTIFICATE-----', '-----END CERTIFICATE-----', '\n', 'MAA=', 'x', '-')
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(piece).map((pieces) => pieces.join('')),
        ),
        (text) => {
          try {
            readPemCertificates(text)
          } catch (error) {
            expect(error).toBeInstanceOf(SallyportError)
            expect((error as SallyportError).code).toBe('CERTIFICATE_INVALID')
          }
        },
      ),
    )
  })
})
