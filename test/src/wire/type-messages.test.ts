import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bundleOf } from '../../../src/bundle/bundle.ts'
import type { RegistrationEntry } from '../../../src/entry/registration-entry.ts'
import { SallyportError } from '../../../src/errors.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { bundleFromMessage, bundleToMessage } from '../../../src/wire/bundle-message.ts'
import { decodeMessage } from '../../../src/wire/decode-message.ts'
import { encodeMessage } from '../../../src/wire/encode-message.ts'
import { entryDraftFromMessage, entryFromMessage, entryToMessage } from '../../../src/wire/entry-message.ts'
import { idFromMessage, idToMessage } from '../../../src/wire/id-message.ts'
import { bundleType, type Entry, type EntryMask, entryType } from '../../../src/wire/messages/spire-api-types.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'

const example = TrustDomain.parse('example.org')
const segment = fc.stringMatching(/^[a-z0-9-]{1,10}$/)
const id = fc
  .array(segment, { minLength: 1, maxLength: 4 })
  .map((segments) => SpiffeId.of(example, `/${segments.join('/')}`))
const instant = fc.nat(2 ** 31).map((seconds) => new Date(seconds * 1000 + 1000))

const entries: fc.Arbitrary<RegistrationEntry> = fc.record({
  id: segment,
  spiffeId: id,
  parentId: id,
  selectors: fc.array(fc.record({ type: segment, value: segment }), { minLength: 1, maxLength: 4 }),
  x509TtlSeconds: fc.nat(2 ** 31 - 1),
  jwtTtlSeconds: fc.nat(2 ** 31 - 1),
  federatesWith: fc.array(
    segment.map((name) => TrustDomain.parse(name)),
    { maxLength: 3 },
  ),
  admin: fc.boolean(),
  downstream: fc.boolean(),
  expiresAt: fc.option(instant, { nil: undefined }),
  dnsNames: fc.array(segment, { maxLength: 3 }),
  hint: fc.string({ maxLength: 10 }),
  storeSvid: fc.boolean(),
  x509PrefetchDisabled: fc.boolean(),
  jwtIncludesJti: fc.boolean(),
  labels: fc.constant({}),
  createdAt: instant,
  revisionNumber: fc.nat(2 ** 31),
})

const overTheWire = (entry: RegistrationEntry, mask?: EntryMask): Entry =>
  decodeMessage(entryType, encodeMessage(entryType, entryToMessage(entry, mask)))

describe('entries', () => {
  test('are read back over the wire', () => {
    fc.assert(
      fc.property(entries, (entry) => {
        expect(entryFromMessage(overTheWire(entry))).toEqual(entry)
      }),
    )
  })

  test('show what a mask wants, and always the id', () => {
    const none = Object.fromEntries(
      'spiffeId parentId selectors x509SvidTtl federatesWith admin downstream expiresAt dnsNames revisionNumber storeSvid jwtSvidTtl hint createdAt additionalAttributes'
        .split(' ')
        .map((name) => [name, false]),
    ) as unknown as EntryMask
    fc.assert(
      fc.property(entries, (entry) => {
        expect(entryToMessage(entry, none)).toEqual({ id: entry.id })
        expect(Object.keys(entryToMessage(entry, { ...none, hint: true })).toSorted()).toEqual(['hint', 'id'])
        expect(entryToMessage(entry, null)).toEqual(entryToMessage(entry))
      }),
    )
  })

  test('become drafts with what the server decides', () => {
    fc.assert(
      fc.property(entries, (entry) => {
        const given = { id: 'new', createdAt: new Date(5000), revisionNumber: 7 }
        expect(entryDraftFromMessage(overTheWire(entry), given)).toEqual({ ...entry, ...given })
      }),
    )
  })

  test('any bytes give an entry, a SallyportError, or no message', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        let message: Entry
        try {
          message = decodeMessage(entryType, bytes)
        } catch {
          return
        }
        try {
          entryFromMessage(message)
        } catch (error) {
          expect(error).toBeInstanceOf(SallyportError)
        }
      }),
    )
  })
})

describe('ids', () => {
  test('are read back, and a missing one is named', () => {
    fc.assert(fc.property(id, (given) => idFromMessage(idToMessage(given)).equals(given)))
    expect(() => idFromMessage(null, 'parent_id')).toThrowCode('REQUEST_INVALID', 'parent_id is missing')
    expect(idFromMessage({ trustDomain: 'spiffe://example.org', path: '/x' }).toString()).toBe('spiffe://example.org/x')
    expect(() => idFromMessage({ trustDomain: 'Example.org', path: '/x' })).toThrowCode('TRUST_DOMAIN_INVALID')
    expect(() => idFromMessage({ trustDomain: 'example.org', path: 'x' })).toThrowCode('SPIFFE_ID_INVALID')
  })
})

describe('bundles', () => {
  test('are read back over the wire, and show what a mask wants', async () => {
    const [a, b] = [await TestAuthority.create(), await TestAuthority.create()]
    const bundle = bundleOf({
      trustDomain: example,
      x509Authorities: [
        { certificate: a.certificate, tainted: false },
        { certificate: b.certificate, tainted: true },
      ],
      jwtAuthorities: [
        { keyId: 'one', publicKey: a.keyPair.publicKey, expiresAt: new Date(9e12), tainted: false },
        { keyId: 'two', publicKey: b.keyPair.publicKey, expiresAt: undefined, tainted: true },
      ],
      witAuthorities: [
        { keyId: 'three', publicKey: b.keyPair.publicKey, expiresAt: new Date(9e12), tainted: false },
        { keyId: 'four', publicKey: a.keyPair.publicKey, expiresAt: undefined, tainted: true },
      ],
      refreshHintSeconds: 300,
      sequenceNumber: 42,
    })
    const message = decodeMessage(bundleType, encodeMessage(bundleType, bundleToMessage(bundle)))
    const read = bundleFromMessage(message)
    expect(bundleToMessage(read)).toEqual(bundleToMessage(bundle))
    expect(read.jwtAuthorities.map(({ expiresAt }) => expiresAt)).toEqual([new Date(9e12), undefined])
    expect(read.witAuthorities.map(({ keyId, tainted }) => [keyId, tainted])).toEqual([
      ['three', false],
      ['four', true],
    ])
    const mask = {
      x509Authorities: false,
      jwtAuthorities: false,
      refreshHint: true,
      sequenceNumber: false,
      witAuthorities: false,
    }
    expect(bundleToMessage(bundle, mask)).toEqual({ trustDomain: 'example.org', refreshHint: 300 })
  })

  test('damaged or too many authorities are refused', () => {
    const empty = {
      trustDomain: 'example.org',
      x509Authorities: [],
      jwtAuthorities: [],
      refreshHint: 0,
      sequenceNumber: 0,
      witAuthorities: [],
    }
    const key = { publicKey: Buffer.from('x'), keyId: 'k', expiresAt: 0, tainted: false }
    expect(() => bundleFromMessage({ ...empty, jwtAuthorities: [key] })).toThrowCode('BUNDLE_INVALID', 'damaged')
    expect(() => bundleFromMessage({ ...empty, jwtAuthorities: [{ ...key, keyId: '' }] })).toThrowCode(
      'BUNDLE_INVALID',
      'has no id',
    )
    const limits = { sizeBytes: 1000, authorities: 1 }
    expect(() => bundleFromMessage({ ...empty, jwtAuthorities: [key, key] }, limits)).toThrowCode(
      'BUNDLE_INVALID',
      'more than 1',
    )
    expect(() => bundleFromMessage({ ...empty, witAuthorities: [key] })).toThrowCode('BUNDLE_INVALID', 'a WIT key')
    expect(() => bundleFromMessage({ ...empty, witAuthorities: [key, key] }, limits)).toThrowCode(
      'BUNDLE_INVALID',
      'more than 1',
    )
    const garbage = { asn1: Buffer.from([0x30, 0x03, 1, 2, 3]), tainted: false }
    let thrown: unknown
    try {
      bundleFromMessage({ ...empty, x509Authorities: [garbage] })
    } catch (error) {
      thrown = error
    }
    expect(thrown).toBeInstanceOf(SallyportError)
  })
})
