import { describe, expect, test } from 'vitest'
import {
  askedOf,
  codeRowOf,
  explainCommandOf,
  recordOf,
  verdictOf,
  type DecisionRecord,
} from '../../cli/decision-record.ts'
import { lineOf } from '../../cli/decision-lists.ts'
import { shownDecision } from '../../cli/decision-show.ts'
import { parseInstant } from '../../cli/instants.ts'
import { parseLabels } from '../../cli/entry-labels.ts'
import { decideIn } from '../src/policy/acme.ts'
import { decisionRecord } from '../../src/enforce/decision-record.ts'

const connection = { id: 'c', openedAtMs: 0, tls: 'TLSv1.3', alpn: 'h2', port: 8443, peerIp: '10.0.0.1', peerPort: 5 }

/** A record as an enforcement point writes it, of a decision about the worked example. */
function recorded(http: Parameters<typeof decideIn>[1], change: Partial<DecisionRecord> = {}): DecisionRecord {
  const decision = decideIn({}, http)
  const context = {
    ...{ side: 'server' as const, service: 'orders', version: '1', reeval: undefined, shadow: undefined },
    connection: { ...connection, protocol: 'http' as const },
    peer: { serialNumber: '4f', notAfterMs: 1_000_000 },
    request: { method: 'GET', authority: null, trace: null },
  }
  const state = { status: { policyEpoch: 1, policyRevision: 7 }, lifecycle: { sequence: 3 } } as never
  const record = decisionRecord('01JD4Z8Q6T3M8N0W7K2V5C9XRA', 0, decision, context, state, {
    ...{ name: 'acme', digest: 'd', ageMs: 1 },
  })
  const content = Buffer.from(JSON.stringify({ ...record, ...change }))
  return recordOf({ content } as never)
}

describe('a decision record', () => {
  test('says what was decided and what was asked for', () => {
    const refused = recorded({ http: { target: '/admin/users' } })
    expect(verdictOf(refused)).toBe('DENY access GUARD')
    expect(askedOf(refused)).toBe('GET /admin/**')
    expect(verdictOf({ ...refused, decision: 'allow', wouldDeny: true })).toBe('WOULD DENY access GUARD')
    expect(codeRowOf(refused)?.remedy).toMatch(/^Go through a service that may/)
    expect(codeRowOf({ code: 'OF_A_NEWER_SERVER' as never })).toBeUndefined()
  })

  test('gives the command that asks the same again, with a path that its template matches', () => {
    const command = explainCommandOf(recorded({ http: { target: '/v1/orders/42?token=secret' } }))
    expect(command).toBe(
      'sallyport policy explain --from spiffe://prod.acme.example/ns/web/sa/storefront --to orders --port 8443 --http "GET /v1/orders/1"',
    )
  })

  test('of what holds for some time only is explained as of then', () => {
    const late = recorded({ http: { target: '/v1/orders/42' } }, { code: 'RULE_EXPIRED' })
    expect(explainCommandOf(late)).toContain(` --at ${late.ts}`)
  })

  test('of nobody cannot be asked again', () => {
    const nobody = recorded(
      { http: { target: '/' } },
      { src: { id: null, zone: null, svid: null, ip: null, port: null } },
    )
    expect(explainCommandOf(nobody)).toBeUndefined()
  })

  test('is shown with each gate, the remedy and the command', () => {
    const record = recorded({ http: { target: '/admin/users' } })
    const content = Buffer.from(JSON.stringify(record))
    const { sentence } = shownDecision({ content, agent: 'spiffe://prod.acme.example/agent/1' } as never)
    expect(sentence).toMatch(/^DENY access GUARD {8}policy acme r7\n {2}id +01JD4Z8Q6T3M8N0W7K2V5C9XRA\n/)
    expect(sentence).toMatch(/\n {2}movement {2}ok {2}conduit edge-to-shop\n {2}access +DENY {2}action admin {2}guard /)
    expect(sentence).toMatch(/\n→ .+\n\nExplain it by the policy of now:\n {2}sallyport policy explain /)
  })
})

/** As the agent takes it of any workload: these fields and whatever else. */
const bare = {
  ...{ v: 1, id: '01JD4Z8Q6T3M8N0W7K2V5C9XRA', ts: '2026-11-23T12:00:00Z', decision: 'deny' },
  ...{ pep: { side: 'server' }, src: { id: null }, dst: { id: 'spiffe://prod.acme.example/ns/web/sa/storefront' } },
}
const stored = (record: object) =>
  ({
    content: Buffer.from(JSON.stringify(record)),
    agent: 'spiffe://prod.acme.example/agent/1',
    receivedMs: 0,
  }) as never

describe('a record that a workload made up', () => {
  test.for([
    {},
    { gates: 1, net: [], req: 'x', policy: null, src: { id: 7, svid: 'x' }, code: {} },
    { req: { route: 1 }, net: { proto: 2 }, gates: { movement: { by: { kind: 1 } }, access: { by: 'x' } } },
  ])('is shown as far as it says anything: %j', async (change) => {
    const made = stored({ ...bare, ...change })
    expect(shownDecision(made).sentence).toContain('01JD4Z8Q6T3M8N0W7K2V5C9XRA')
    expect(await lineOf(made, 'table')).toMatch(/^2026-11-23 12:00:00Z {2}DENY/)
    expect(JSON.parse(await lineOf(made, 'json'))).toMatchObject({ v: 1, decision: 'deny' })
  })

  test('is shown by its plain fields where it is nested without end', async () => {
    const text = JSON.stringify({ ...bare, x: 'DEEP' }).replace('"DEEP"', `${'['.repeat(6000)}${']'.repeat(6000)}`)
    const deep = { ...(stored({}) as object), content: Buffer.from(text) } as never
    expect(JSON.parse(await lineOf(deep, 'json'))).toMatchObject({ id: bare.id, ts: bare.ts, decision: 'deny' })
    expect(await lineOf(deep, 'yaml')).toContain(bare.id)
  })

  test('neither steers the terminal nor makes lines of its own', async () => {
    const zone = '\u001B]0;owned\u0007\n  access    ok'
    const made = stored({ ...bare, src: { id: 'x', zone } })
    const { sentence = '' } = shownDecision(made)
    for (const control of ['\u001B', '\u0007', '\n  access    ok']) {
      expect(sentence).not.toContain(control)
      expect(await lineOf(made, 'table')).not.toContain(control)
    }
  })

  test('has no command run by whoever runs what is shown', () => {
    const src = { id: '$(reboot)', zone: null }
    const dst = { ...bare.dst, service: "a'; reboot; '", port: 1 }
    const req = { method: 'GET', route: '/`reboot`"!' }
    expect(explainCommandOf(recordOf(stored({ ...bare, src, dst, req })))).toBe(
      String.raw`sallyport policy explain --from '$(reboot)' --to "a'; reboot; '" --port 1 --http 'GET /` +
        '`reboot`"!\'',
    )
    const quote = { ...bare.dst, service: "$'", port: 1 }
    expect(explainCommandOf(recordOf(stored({ ...bare, src, dst: quote })))).toContain(String.raw`--to '$'\'''`)
  })
})

describe('what is written on the command line', () => {
  test('instants are absolute with an offset, or so long ago', () => {
    const now = Date.parse('2027-01-01T00:00:00Z')
    expect(parseInstant('15m', now)).toBe(now - 900_000)
    expect(parseInstant('2027-01-01T01:00:00+01:00', now)).toBe(now)
    for (const text of ['2027-01-01', 'yesterday', '2027-01-01T00:00:00'])
      expect(() => parseInstant(text, now)).toThrowCode('REQUEST_INVALID', 'instant')
  })

  test('labels are names with values, which may hold = themselves', () => {
    expect(parseLabels(['env=prod', 'query=a=b', 'empty='])).toEqual({ env: 'prod', query: 'a=b', empty: '' })
    for (const text of ['env', '=prod', 'a b=c'])
      expect(() => parseLabels([text])).toThrowCode('REQUEST_INVALID', 'label')
  })
})
