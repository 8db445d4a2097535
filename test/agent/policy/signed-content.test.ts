import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  POLICY_KEYS_MAX_BYTES,
  readFastLaneEntry,
  readLifecycle,
  readPolicyKeys,
  readSlice,
} from '../../../agent/policy/signed-content.ts'
import { isSallyportError } from '../../../src/errors.ts'
import { LIFECYCLE_MAX_BYTES } from '../../../src/policy/read-fast-lane.ts'
import { SLICE_MAX_BYTES } from '../../../src/policy/read-slice.ts'

const slice = { v: 1, epoch: 2, revision: 3, asOf: 4, trustDomain: 'example.org', spiffeId: 'spiffe://example.org/a' }
const event = { v: 1, epoch: 2, sequence: 3, previous: '' }
const hash = 'a'.repeat(64)
const key = { keyId: hash, publicKey: Buffer.from('key').toString('base64'), use: 'policy' }
const keys = { v: 1, epoch: 2, version: 3, trustDomain: 'example.org', keys: [key] }

const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))
const without = <T extends object>(value: T, field: keyof T): object => ({ ...value, [field]: undefined })

describe('what an agent reads of signed content', () => {
  test('is what it goes by: fields that it does not know are for the workload to judge', () => {
    const { v: _v, ...header } = slice
    expect(readSlice(bytes({ ...slice, policy: { of: 'tomorrow' }, more: 1 }))).toMatchObject(header)
    expect(readFastLaneEntry(bytes({ ...event, kind: 'of tomorrow', previous: hash })).previous).toBe(hash)
    expect(readLifecycle(bytes({ ...event, lifecycle: 'of tomorrow' })).sequence).toBe(3)
    expect(readPolicyKeys(bytes({ ...keys, more: 1, keys: [{ ...key, more: 1 }] })).keys).toEqual([key])
  })

  test.for<[string, (content: Buffer) => unknown, object, string]>([
    ['a slice of another form', readSlice, { ...slice, v: 2 }, 'slice: it cannot be read'],
    ['a slice of nobody', readSlice, { ...slice, spiffeId: '' }, 'slice: it cannot be read'],
    ['a slice without a number', readSlice, without(slice, 'asOf'), 'slice: it cannot be read'],
    ['a slice of a broken number', readSlice, { ...slice, revision: 1.5 }, 'slice: it cannot be read'],
    ['an entry after something else', readFastLaneEntry, { ...event, previous: 'ab' }, 'entry of the fast lane'],
    ['a snapshot before the first', readLifecycle, { ...event, sequence: -1 }, 'snapshot of the fast lane'],
    ['keys of none', readPolicyKeys, { ...keys, keys: [] }, 'it has 0 keys, not 1 to 32'],
    [
      'too many keys',
      readPolicyKeys,
      { ...keys, keys: Array.from({ length: 33 }, () => key) },
      'it has 33 keys, not 1 to 32',
    ],
    ['a key that is no base64', readPolicyKeys, { ...keys, keys: [{ ...key, publicKey: 'a=b' }] }, 'cannot be read'],
    ['a key of great length', readPolicyKeys, { ...keys, keys: [{ ...key, publicKey: 'abcd'.repeat(51) }] }, 'cannot'],
    ['a key for something else', readPolicyKeys, { ...keys, keys: [{ ...key, use: 'tls' }] }, 'cannot be read'],
  ])('%s is refused', ([, read, value, why]) => {
    expect(() => read(bytes(value))).toThrowCode('POLICY_CONTENT_REFUSED', why)
  })

  test.for([
    [readSlice, SLICE_MAX_BYTES, slice],
    [readLifecycle, LIFECYCLE_MAX_BYTES, event],
    [readPolicyKeys, POLICY_KEYS_MAX_BYTES, keys],
  ] as const)('more than fits into a message is refused before it is read', ([read, most, value]) => {
    const content = Buffer.concat([bytes(value), Buffer.alloc(most, ' ')])
    expect(() => read(content)).toThrowCode('POLICY_CONTENT_REFUSED', `it has more than ${most} bytes`)
    expect(() => read(content.subarray(0, most))).not.toThrow()
  })

  test('any bytes are read or refused', () => {
    const anything = fc.oneof(
      fc.uint8Array().map((content) => Buffer.from(content)),
      fc.json().map((text) => Buffer.from(text)),
      fc.record({ keys: fc.array(fc.anything()), previous: fc.anything(), v: fc.constant(1) }).map(bytes),
    )
    fc.assert(
      fc.property(
        anything,
        fc.constantFrom(readSlice, readFastLaneEntry, readLifecycle, readPolicyKeys),
        (content, read) => {
          try {
            read(content)
          } catch (error) {
            if (!(isSallyportError(error) && error.code === 'POLICY_CONTENT_REFUSED')) throw error
          }
        },
      ),
    )
  })
})
