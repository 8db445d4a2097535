import { generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Bundle, bundleOf, bundlesEqual } from '../../../src/bundle/bundle.ts'
import { parseBundleDocument, printBundleDocument, readBundleDocument } from '../../../src/bundle/bundle-document.ts'
import { FOREIGN_BUNDLE_LIMITS } from '../../../src/bundle/bundle-limits.ts'
import { SallyportError } from '../../../src/errors.ts'
import { jwkOf } from '../../../src/jws/jwk.ts'
import { decodeCertificate } from '../../../src/x509/decode-certificate.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'

type Json = Record<string, unknown>
interface Document extends Json {
  keys: Json[]
}

const publicKey = () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }).publicKey
const jwt = (kid: string, changes: Json = {}): Json => ({ ...jwkOf(publicKey(), kid), use: 'jwt-svid', ...changes })

let authority: TestAuthority
let other: TestAuthority
let bundle: Bundle
let withWit: Bundle
let x509: Json

beforeAll(async () => {
  ;[authority, other] = await Promise.all([TestAuthority.create(), TestAuthority.create({ keyType: 'rsa-2048' })])
  bundle = bundleOf({
    ...authority.bundle(authority, other),
    jwtAuthorities: [
      { keyId: 'jwt-2', publicKey: publicKey(), expiresAt: undefined, tainted: false },
      { keyId: 'jwt-1', publicKey: publicKey(), expiresAt: undefined, tainted: false },
    ],
    sequenceNumber: 7,
    refreshHintSeconds: 300,
  })
  withWit = bundleOf({
    ...bundle,
    witAuthorities: ['wit-2', 'wit-1'].map((keyId) => ({
      keyId,
      publicKey: publicKey(),
      expiresAt: undefined,
      tainted: false,
    })),
  })
  x509 = {
    ...jwkOf(authority.keyPair.publicKey),
    use: 'x509-svid',
    x5c: [authority.certificate.der.toString('base64')],
  }
})

const printed = (): Document => JSON.parse(printBundleDocument(bundle)) as Document
const keysFor = (use: string): Json[] => printed().keys.filter((key) => key['use'] === use)
const read = (document: unknown) => readBundleDocument(JSON.stringify(document), bundle.trustDomain)
const readKeys = (...keys: unknown[]) => read({ keys })

describe('printBundleDocument()', () => {
  test('TB-04 TB-08 TB-11 TB-15 TB-16 is a JWK Set with sequence and hint', () => {
    const { keys, ...rest } = printed()
    expect(rest).toEqual({ spiffe_sequence: 7, spiffe_refresh_hint: 300 })
    expect(keys.every((key) => typeof key['kty'] === 'string' && /^(x509|jwt)-svid$/.test(String(key['use'])))).toBe(
      true,
    )
  })

  test('X5-40 X5-41 X5-42 X5-45 TB-18 has one entry for each CA: no kid, one certificate, nothing more', () => {
    const entries = keysFor('x509-svid')
    expect(entries).toHaveLength(2)
    for (const entry of entries) {
      const members = entry['kty'] === 'EC' ? ['kty', 'crv', 'x', 'y'] : ['kty', 'n', 'e']
      expect(Object.keys(entry)).toEqual([...members, 'use', 'x5c'])
      const [der, ...more] = entry['x5c'] as string[]
      expect(more).toEqual([])
      expect(der).toMatch(/^[A-Za-z0-9+/]+={0,2}$/)
    }
  })

  test('X5-44 the members of an entry are the key of its certificate', () => {
    for (const { use: _, x5c, ...members } of keysFor('x509-svid')) {
      const certificate = decodeCertificate(Buffer.from((x5c as string[])[0]!, 'base64'))
      expect(members).toEqual(jwkOf(certificate.publicKey))
    }
  })

  test('JW-29 TB-18 has one entry for each JWT key, with kid', () => {
    const entries = keysFor('jwt-svid')
    expect(entries.map((entry) => entry['kid'])).toEqual(['jwt-1', 'jwt-2'])
    for (const entry of entries) expect(Object.keys(entry)).toEqual(['kty', 'crv', 'x', 'y', 'use', 'kid'])
  })

  test('WI-36 leaves out the keys of WIT-SVIDs by default', () => {
    expect(printBundleDocument(withWit)).toBe(printBundleDocument(bundle))
  })

  test('WI-32 WI-33 TB-18 has one entry for each WIT key where it is asked for, with kid', () => {
    const { keys } = JSON.parse(printBundleDocument(withWit, { witKeys: true })) as Document
    const entries = keys.filter(({ use }) => use === 'wit-svid')
    expect(entries.map(({ kid }) => kid)).toEqual(['wit-1', 'wit-2'])
    for (const entry of entries) expect(Object.keys(entry)).toEqual(['kty', 'crv', 'x', 'y', 'use', 'kid'])
    expect(keys).toHaveLength(printed().keys.length + 2)
  })

  test('TB-22 prints the same bytes whatever the order of authorities', () => {
    const turned = {
      ...bundle,
      x509Authorities: bundle.x509Authorities.toReversed(),
      jwtAuthorities: bundle.jwtAuthorities.toReversed(),
    }
    expect(printBundleDocument(turned)).toBe(printBundleDocument(bundle))
  })

  test('TB-23 never holds a private member', () => {
    expect(printBundleDocument(bundle)).not.toMatch(/"(?:d|p|q|dp|dq|qi|oth|k|priv)"/)
  })

  test('leaves out a hint that is not set', () => {
    expect(printBundleDocument({ ...bundle, refreshHintSeconds: 0 })).not.toContain('refresh_hint')
  })
})

describe('parseBundleDocument()', () => {
  test('IO-27 reads what was printed', () => {
    const again = parseBundleDocument(printBundleDocument(bundle), bundle.trustDomain)
    expect(bundlesEqual(again, bundle)).toBe(true)
    expect(again.sequenceNumber).toBe(7)
  })

  test('WI-34 reads the WIT keys that were printed', () => {
    const again = parseBundleDocument(printBundleDocument(withWit, { witKeys: true }), bundle.trustDomain)
    expect(bundlesEqual(again, withWit)).toBe(true)
  })

  test.for(['', '[]', '"keys"', 'null', '{}', '{"keys":null}', '{"keys":{}}', '{"keys":[],"keys":[]}', '{"keys":[]'])(
    'TB-04 TB-05 NT-05 refuses %s',
    (text) => {
      expect(() => parseBundleDocument(text, bundle.trustDomain)).toThrow(SallyportError)
    },
  )

  test('TB-06 TB-07 no keys, and no usable keys, are an empty bundle', () => {
    for (const keys of [[], [jwt('a', { use: 'future-svid' })]]) {
      const { bundle: empty } = read({ keys })
      expect([empty.x509Authorities, empty.jwtAuthorities]).toEqual([[], []])
    }
  })

  test.for([{ use: 'X509-SVID' }, { use: 'sig' }, { use: undefined }, { use: 'future-svid' }, { use: 5 }])(
    'TB-16 IO-30 skips a key with %j without a word',
    (changes) => {
      const { bundle: found, warnings } = readKeys({ ...x509, ...changes }, jwt('bad', changes), jwt('good'))
      expect([found.x509Authorities.length, found.jwtAuthorities.map(({ keyId }) => keyId), warnings]).toEqual([
        0,
        ['good'],
        [],
      ])
    },
  )

  test('TB-17 JW-30 WI-34 keeps wit-svid keys apart', () => {
    const { bundle: found, warnings } = readKeys(jwt('wit', { use: 'wit-svid' }), jwt('jwt'))
    expect([found.jwtAuthorities.map(({ keyId }) => keyId), found.witAuthorities.map(({ keyId }) => keyId)]).toEqual([
      ['jwt'],
      ['wit'],
    ])
    expect(warnings).toEqual([])
  })

  test.for([{ kid: undefined }, { kid: '' }, { x: 'AAAA' }, { d: 'AAAA' }])(
    'WI-34 leaves out a wit-svid key with %j, and uses the others',
    (changes) => {
      const wit = jwt('wit', { use: 'wit-svid' })
      const { bundle: found, warnings } = readKeys({ ...wit, ...changes }, { ...wit, kid: 'good' })
      expect(found.witAuthorities.map(({ keyId }) => keyId)).toEqual(['good'])
      expect(warnings).toEqual([expect.stringContaining('keys[0] is left out')])
    },
  )

  test('WI-33 of a WIT key and a JWT key with one id the JWT key stays, in either order', () => {
    for (const keys of [
      [jwt('k', { use: 'wit-svid' }), jwt('k')],
      [jwt('k'), jwt('k', { use: 'wit-svid' })],
    ]) {
      const { bundle: found, warnings } = readKeys(...keys)
      expect([found.jwtAuthorities.length, found.witAuthorities]).toEqual([1, []])
      expect(warnings).toEqual([expect.stringContaining('the WIT key "k" is left out')])
    }
  })

  test.for(['AKP', 'oct', undefined, 5])('TB-15 skips a key of type %s', (kty) => {
    const { bundle: found, warnings } = readKeys(jwt('bad', { kty }), { ...x509, kty }, jwt('good'))
    expect([found.x509Authorities.length, found.jwtAuthorities.length, warnings]).toEqual([0, 1, []])
  })

  test('X5-46 takes no certificate from a jwt-svid entry', () => {
    expect(readKeys(jwt('k', { x5c: x509['x5c'] })).bundle.x509Authorities).toEqual([])
  })

  test('JW-30 takes no JWT key from an x509-svid entry', () => {
    expect(readKeys({ ...x509, kid: 'k' }).bundle.jwtAuthorities).toEqual([])
  })

  test.for([undefined, [], '', 'abc', [''], [5], ['@@@@'], ['AAAA'], ['MIIB\n'], ['-_-_']])(
    'X5-47 X5-50 NT-06 leaves out an entry whose x5c is %j, and uses the others',
    (x5c) => {
      const { bundle: found, warnings } = readKeys({ ...x509, x5c }, x509)
      expect(found.x509Authorities).toHaveLength(1)
      expect(warnings).toEqual([expect.stringContaining('keys[0] is left out')])
    },
  )

  test('X5-48 takes the first of several certificates', () => {
    const { bundle: found } = readKeys({
      ...x509,
      x5c: [...(x509['x5c'] as string[]), other.certificate.der.toString('base64')],
    })
    expect(found.x509Authorities.map(({ certificate }) => certificate.der)).toEqual([authority.certificate.der])
  })

  test('X5-49 is the union of all entries', () => {
    expect(read(printed()).bundle.x509Authorities).toHaveLength(2)
  })

  test('leaves out a certificate that is no authority', async () => {
    const leaf = await authority.issue()
    const { bundle: found, warnings } = readKeys({ ...x509, x5c: [leaf.certificate.der.toString('base64')] })
    expect(found.x509Authorities).toEqual([])
    expect(warnings).toEqual([expect.stringContaining('not that of an authority')])
  })

  test.for([{ kid: undefined }, { kid: '' }, { kid: ' ' }, { kid: 5 }, { x: 'AAAA' }, { d: 'AAAA' }, { crv: 'P-999' }])(
    'JW-32 TB-23 leaves out a JWT key with %j, and uses the others',
    (changes) => {
      const { bundle: found, warnings } = readKeys(jwt('bad', changes), jwt('good'))
      expect(found.jwtAuthorities.map(({ keyId }) => keyId)).toEqual(['good'])
      expect(warnings).toHaveLength(1)
    },
  )

  test('JW-33 of two keys with one id the first is used', () => {
    const { bundle: found, warnings } = readKeys(jwt('k'), jwt('k'))
    expect([found.jwtAuthorities.length, warnings.length]).toEqual([1, 1])
  })

  test('reports keys that are not objects', () => {
    expect(readKeys(null, 5, 'x', []).warnings).toHaveLength(4)
  })

  test.for([
    ['9007199254740993', 9007199254740993n],
    ['9007199254740992', 9007199254740992n],
    ['18446744073709551615', 18446744073709551615n],
    ['12', 12n],
  ] as const)('TB-09 NT-04 knows the sequence %s exactly', ([digits, value]) => {
    const { sequence } = readBundleDocument(`{"keys":[],"spiffe_sequence":${digits}}`, bundle.trustDomain)
    expect(sequence).toBe(value)
  })

  test.for(['-1', '1.5', '"1"', '18446744073709551616', '1e3'])(
    'a sequence of %s is reported and ignored',
    (digits) => {
      const found = readBundleDocument(`{"keys":[],"spiffe_sequence":${digits}}`, bundle.trustDomain)
      expect([found.sequence, found.bundle.sequenceNumber, found.warnings.length]).toEqual([undefined, 0, 1])
    },
  )

  test.for([
    [0, 60, 0],
    [1, 60, 0],
    [60, 60, 0],
    [600, 600, 0],
    [1e12, 86_400, 0],
    [-5, 300, 1],
    ['60', 300, 1],
    [1.5, 300, 1],
    [null, 300, 1],
    [undefined, 300, 0],
  ] as const)('TB-12 TB-13 a hint of %s means looking again after %s s', ([hint, seconds, warnings]) => {
    const found = read({ keys: [], spiffe_refresh_hint: hint })
    expect([found.pollAfterSeconds, found.warnings.length]).toEqual([seconds, warnings])
  })

  test('TB-14 tolerates members that it does not know', () => {
    expect(read({ keys: [], foo: 1, bar: { keys: 5 } }).warnings).toEqual([])
  })

  test('TB-24 SE-18 refuses a foreign document over 64 KiB', () => {
    const text = JSON.stringify({ keys: [], padding: 'x'.repeat(FOREIGN_BUNDLE_LIMITS.sizeBytes) })
    expect(() => parseBundleDocument(text, bundle.trustDomain)).toThrowCode('BUNDLE_INVALID', 'longer than 65536')
    expect(parseBundleDocument(text, bundle.trustDomain, { sizeBytes: 1 << 20, authorities: 32 })).toBeDefined()
  })

  test('TB-24 SE-18 refuses a foreign bundle with more than 32 anchors, and the limit can be set', async () => {
    const entry = async (): Promise<Json> => {
      const { certificate } = await TestAuthority.create()
      return { ...jwkOf(certificate.publicKey), use: 'x509-svid', x5c: [certificate.der.toString('base64')] }
    }
    const keys = await Promise.all(Array.from({ length: FOREIGN_BUNDLE_LIMITS.authorities + 1 }, entry))
    const text = JSON.stringify({ keys })
    expect(() => parseBundleDocument(text, bundle.trustDomain)).toThrowCode('BUNDLE_INVALID', 'more than 32')
    expect(
      parseBundleDocument(text, bundle.trustDomain, { sizeBytes: 1 << 20, authorities: 33 }).x509Authorities,
    ).toHaveLength(33)
  })

  test('on any text returns a bundle or throws a SallyportError', () => {
    const key = fc.record(
      {
        kty: fc.constantFrom('EC', 'RSA', 'OKP', 'x', 5),
        use: fc.constantFrom('x509-svid', 'jwt-svid', 'x'),
        kid: fc.oneof(fc.string(), fc.integer()),
        crv: fc.constantFrom('P-256', 'P-384', 'x'),
        x: fc.base64String(),
        y: fc.base64String(),
        n: fc.base64String(),
        e: fc.base64String(),
        x5c: fc.oneof(fc.array(fc.base64String()), fc.jsonValue()),
      },
      { requiredKeys: [] },
    )
    const document = fc.record({ keys: fc.array(fc.oneof(key, fc.jsonValue())), spiffe_sequence: fc.jsonValue() })
    fc.assert(
      fc.property(
        fc.oneof(
          document.map((value) => JSON.stringify(value)),
          fc.json(),
          fc.string(),
        ),
        (text) => {
          try {
            parseBundleDocument(text, bundle.trustDomain)
          } catch (error) {
            expect(error).toBeInstanceOf(SallyportError)
          }
        },
      ),
      { numRuns: 500 },
    )
  })
})
