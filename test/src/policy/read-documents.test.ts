import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isSallyportError } from '../../../src/errors.ts'
import { canonicalJson, type CanonicalValue } from '../../../src/jws/canonical-json.ts'
import { compile } from '../../../src/policy/compile.ts'
import { readFastLaneEntry, readLifecycle } from '../../../src/policy/read-fast-lane.ts'
import { groupMembers } from '../../../src/policy/member-groups.ts'
import { readSlice } from '../../../src/policy/read-slice.ts'
import { sliceOf } from '../../../src/policy/slice.ts'
import { SliceIndex } from '../../../src/policy/slice-index.ts'
import { acme, bastionGrant, idOf, rowsOf } from './acme.ts'

const bytes = (value: unknown): Buffer => Buffer.from(canonicalJson(value as CanonicalValue))

const spiffeId = idOf('/ns/shop/sa/orders')
const content = sliceOf(new SliceIndex(acme, rowsOf(acme)), spiffeId)
const document = {
  ...{ v: 1, epoch: 1, revision: 412, asOf: 9, issuedAt: 1, trustDomain: acme.trustDomain, spiffeId },
  ...{ policyName: acme.name, digest: 'd', policyDigest: 'p' },
  policy: content.policy,
  members: [...groupMembers(content.displaced), ...groupMembers(content.members)],
}

describe('readSlice()', () => {
  test('reads what the server writes, and it compiles', () => {
    const read = readSlice(bytes(document))
    expect({ ...read, members: groupMembers(read.members) }).toEqual(JSON.parse(bytes(document).toString()))
    expect(() => compile(read.policy, read.members)).not.toThrow()
  })

  test.for([
    ['slice.policy.zones[0].quorum is not known', ['policy', 'zones', 0, 'quorum'], 2],
    ['slice.policy.conduits[0].stage is none of live, draft', ['policy', 'conduits', 0, 'stage'], 'dead'],
    [
      'slice.policy.services[0].listeners[0].port is no port',
      ['policy', 'services', 0, 'listeners', 0, 'port'],
      65_536,
    ],
    ['slice.members is no list', ['members'], {}],
    ['slice.policy.rules[0].from[0] is of no known form', ['policy', 'rules', 0, 'from', 0], { selector: 'x' }],
    ['slice.v is none of 1', ['v'], 2],
    ['slice.policy.tests[0] is none of', ['policy', 'tests'], [{}]],
  ] as const)('what it does not know makes it unusable: %s', ([why, path, value]) => {
    const changed = JSON.parse(bytes(document).toString()) as object
    put(changed, path, value)
    expect(() => readSlice(bytes(changed))).toThrowCode('POLICY_DOCUMENT_INVALID', why)
  })

  test('any bytes are a slice or a refusal', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array(),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (content) => {
          try {
            readSlice(content)
          } catch (error) {
            if (!(isSallyportError(error) && error.code === 'POLICY_DOCUMENT_INVALID')) throw error
          }
        },
      ),
    )
  })
})

function put(within: object, [name, ...rest]: readonly (string | number)[], value: unknown): void {
  const fields = within as Record<string | number, unknown>
  if (rest.length === 0) fields[name ?? ''] = value
  else put(fields[name ?? ''] as object, rest, value)
}

describe('the fast lane', () => {
  const header = { v: 1, epoch: 1, sequence: 3, previous: '', at: 5 }

  test.for([
    ['quarantine.add', { id: 'q', target: { zone: 'pay' }, forensics: [], reason: 'r', since: 1 }],
    ['quarantine.add', { id: 'q', target: { node: 'n', identities: ['x'] }, forensics: ['c'], reason: 'r', since: 1 }],
    ['quarantine.remove', { id: 'q' }],
    ['offboard', { spiffeId }],
    ['reinstate', { spiffeId }],
    ['grant.add', bastionGrant],
    ['grant.end', { id: 'g' }],
    ['breakGlass.end', { id: 'b' }],
    ['serial.revoke', { spiffeId, serialNumber: 'ab' }],
    ['serial.forget', { spiffeId, serialNumber: 'ab' }],
  ] as const)('an entry of kind %s is read as it was written', ([kind, body]) => {
    const entry = { ...header, kind, body }
    expect(bytes(readFastLaneEntry(bytes(entry)))).toEqual(bytes(entry))
  })

  test.for([
    [{ ...header, kind: 'amnesty', body: {} }, 'kind is of no known kind'],
    [{ ...header, kind: 'offboard', body: { spiffeId, until: 9 } }, 'body.until is not known'],
    [{ ...header, kind: 'offboard' }, 'body is no object'],
    [{ ...header, sequence: -1, kind: 'grant.end', body: { id: 'g' } }, 'sequence is no whole number'],
  ] as const)('refuses %j', ([entry, why]) => {
    expect(() => readFastLaneEntry(bytes(entry))).toThrowCode('POLICY_DOCUMENT_INVALID', why)
  })

  test('a snapshot is read as it was written', () => {
    const lifecycle = {
      sequence: 3,
      quarantines: [],
      offboarded: [spiffeId],
      grants: [bastionGrant],
      breakGlass: [],
      revokedSerials: [],
    }
    const snapshot = { ...header, lifecycle }
    expect(bytes(readLifecycle(bytes(snapshot)))).toEqual(bytes(snapshot))
  })
})
