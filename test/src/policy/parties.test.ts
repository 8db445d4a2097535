import { expect, test } from 'vitest'
import { compile } from '../../../src/policy/compile.ts'
import type { Party } from '../../../src/policy/party.ts'
import { acme, entry, idOf, rowsOf } from './acme.ts'

const rows = rowsOf(acme, [
  entry('/ns/shop/sa/pci-proxy', { pci: 'true' }),
  entry('/ns/shop/sa/both', { pci: 'true' }, ['unix:group:sre']),
  entry('/ns/nowhere/sa/row', { env: 'prod' }),
])
const { parties } = compile(acme, rows)
const partyOf = (id: string) => parties.of(idOf(id)) as Party

test.for<[id: string, zoneIds: readonly string[], problem: string | null, via: string]>([
  ['/ns/web/sa/x', ['edge'], null, 'pattern /ns/web/**'],
  ['/ns/nowhere/sa/x', [], 'UNKNOWN_ZONE', ''],
  ['/ns/nowhere/sa/row', [], 'UNKNOWN_ZONE', ''],
  ['/ns/shop/sa/pci-proxy', ['pay'], null, 'label pci=true'],
  ['/ns/shop/sa/both', ['ops', 'pay'], 'AMBIGUOUS_ZONE', 'selector unix:group:sre; label pci=true'],
  ['spiffe://partner.example/billing/settle', ['ext-partner'], null, 'federation partner.example'],
  ['spiffe://partner.example/hr/x', [], 'UNKNOWN_ZONE', ''],
])('ZO-10: ZO-12: where %s stands, and by what', ([id, zoneIds, problem, via]) => {
  const party = partyOf(id)
  expect([party.zoneIds, party.zoneProblem, parties.viaOf(party)]).toEqual([zoneIds, problem, via])
})

test('a party is resolved once, with all that was found of it', () => {
  expect(partyOf('/ns/web/sa/x')).toBe(partyOf('/ns/web/sa/x'))
})

test('ids that are none displace no party', () => {
  const known = partyOf('/ns/web/sa/x')
  for (let at = 0; at < 17_000; at++) parties.of(`spiffe://evil.example/${at}`)
  expect(partyOf('/ns/web/sa/x')).toBe(known)
})
