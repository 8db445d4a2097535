import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { blastRadius } from '../../cli/blast-radius.ts'
import { reach } from '../../cli/reach.ts'
import { acmeEntries, acmeFile, counter, logOf, testFiles } from './analyses.ts'

const file = testFiles()
const at = '2026-11-20T12:00:00Z'
const files = {
  output: 'table' as const,
  policy: acmeFile,
  entries: file(JSON.stringify({ entries: acmeEntries }), 'entries.json'),
  at,
}

describe('blast-radius', () => {
  test('SE-48: prints the intended, the effective and the worst case, and both windows', async () => {
    const { sentence } = await blastRadius({ ...files, model: 'workload' }, '/ns/web/sa/storefront')
    expect(sentence).toBe(
      `storefront  model=workload  hops=all       intended  effective      worst
  services reachable                              2          3          3
  zones                                           2          3          3
  crown jewels                                    0          0          0
  token audiences: any, as no zone owns one
  re-issuable identities                          1          1          1   selectors match one identity
  intended: orders(1) orders-db(2)
  observe adds: erp(1)
  window after quarantine: <= 2 s (fast lane p99); cut-off agent: 60 min (SVID life)
  biggest step: conduit shop-to-db, rule orders-store (orders -> orders-db)
  which services enforce is not known here: give --decisions, or ask the server
  3 other registered identities: where one of them serves without enforcing, everybody is let in`,
    )
  })

  test('SE-48: what was never seen to enforce counts as reachable', async () => {
    const enforced = ['orders', 'orders-db', 'erp', 'settlement'].map((service) => counter({ service }))
    const decisions = file(logOf([...enforced, counter({ service: 'ledger', side: 'client' })]))
    const { value } = await blastRadius({ ...files, decisions, model: 'key' }, '/ns/web/sa/storefront')
    expect(value).toMatchObject({
      intended: { services: 2 },
      effective: { services: 3, crownJewels: 0 },
      worst: { services: 4, crownJewels: 1, enforcementKnown: true },
      window: { endedBy: 'SVID life' },
    })
  })

  test('a process has the tokens that its identity may be issued, and a key those of the services that it leads to', async () => {
    const owned = readFileSync(acmeFile, 'utf8')
      .replace('team-pay,   members: [] }', 'team-pay, members: [], audiences: [ sts.partner, hooks.partner ] }')
      .replace(
        'conduits:\n',
        `conduits:
  - { id: edge-out, from: { zone: edge, identities: [ /ns/web/sa/storefront ] }, to: ext-partner, allow: [ { protocol: http, ports: [443] } ], owner: o, justification: j, review: 2027-01-01 }
  - { id: data-out, from: data, to: ext-partner, allow: [ { protocol: http, ports: [443] } ], owner: o, justification: j, review: 2027-01-01 }
`,
      )
    const policy = file(owned)
    const of = async (model: 'key' | 'workload', hops?: string) =>
      await blastRadius({ ...files, policy, model, ...(hops === undefined ? {} : { hops }) }, '/ns/web/sa/storefront')
    expect((await of('workload')).sentence).toContain(
      '  token audiences that zones own                  2          2          2   sts.partner, hooks.partner\n',
    )
    const path = (hops: number, conduit: string) => ({ audience: 'sts.partner', zones: ['ext-partner'], hops, conduit })
    expect((await of('workload', '1')).value).toMatchObject({
      intended: { zones: 2, services: 1, audiences: [path(1, 'edge-out'), {}] },
    })
    expect((await of('key', '2')).value).toMatchObject({ intended: { zones: 2, audiences: [] } })
    expect((await of('key')).value).toMatchObject({ intended: { zones: 3, audiences: [path(3, 'data-out'), {}] } })
    const { rows, sentence } = await reach({
      ...files,
      policy,
      hops: '1',
      effective: false,
      from: '/ns/web/sa/storefront',
    })
    expect(rows?.at(-1)).toMatchObject({ service: 'token for hooks.partner', zone: 'ext-partner', conduit: 'edge-out' })
    expect(sentence).toMatch(/reaches 1 service and may have tokens for 2 audiences\.$/)
  })

  test('a node holds all that is registered below it', async () => {
    const { value } = await blastRadius({ ...files, model: 'node', hops: '1' }, '/ns/shop/sa/orders')
    expect(value).toMatchObject({
      held: ['orders', 'stage', 'checkout'].map((name) => expect.stringMatching(new RegExp(`/${name}$`))),
      intended: { services: 2, crownJewels: 1 },
    })
  })

  test.for([
    [{ hops: '0' }, 'COMMAND_INVALID', '--hops 0: not a number from 1'],
    [{ at: '2026-11-20' }, 'REQUEST_INVALID', 'not an instant with an offset'],
    [{ entries: file('entries: [{}]') }, 'CONFIG_INVALID', 'spiffeId'],
    [{ decisions: file('{') }, 'REQUEST_INVALID', 'the line is not JSON'],
    [{ decisions: file('{"pep": {}}') }, 'REQUEST_INVALID', ':1: '],
  ] as const)('refuses %j', async ([change, code, words]) => {
    await expect(blastRadius({ ...files, model: 'key', ...change }, '/ns/web/sa/storefront')).rejects.toThrowCode(
      code,
      words,
    )
  })
})

describe('reach', () => {
  const plain = { ...files, hops: '1', effective: false }

  test('says what somebody reaches, and through what', async () => {
    const { rows } = await reach({ ...plain, from: '/ns/web/sa/storefront', hops: '2' })
    expect(rows).toEqual([
      {
        service: 'orders',
        zone: 'shop',
        hops: 1,
        actions: 'read, create',
        conduit: 'edge-to-shop',
        rule: 'storefront-orders',
        through: '',
      },
      {
        service: 'orders-db',
        zone: 'data',
        hops: 2,
        actions: 'connect',
        conduit: 'shop-to-db',
        rule: 'orders-store',
        through: 'orders',
      },
    ])
  })

  test('counts zones that observe as open only when it is asked to', async () => {
    const services = async (effective: boolean) =>
      (await reach({ ...plain, from: '/ns/web/sa/storefront', effective })).rows?.map(({ service }) => service)
    expect([await services(false), await services(true)]).toEqual([['orders'], ['orders', 'erp']])
  })

  test('asks windows at an instant', async () => {
    const from = 'spiffe://partner.example/billing/settle'
    const count = async (at: string) => (await reach({ ...plain, from, at })).rows?.length
    expect([await count('2026-11-20T12:00:00Z'), await count('2026-11-20T02:00:00Z')]).toEqual([0, 1])
  })

  test('says who reaches a service, also those whom nobody has registered yet', async () => {
    const { rows } = await reach({ ...plain, to: 'orders' })
    expect(rows?.map(({ identity, rule }) => [String(identity).split('.example').at(-1), rule])).toEqual([
      ['/ns/web/sa/storefront', 'storefront-orders'],
      ['/ns/web/sa/blog', 'web-read'],
      ['/ns/ops/*', 'support-read'],
    ])
  })

  test.for([
    [{}, 'COMMAND_INVALID', 'one of --from and --to'],
    [{ from: '/a', to: 'orders' }, 'COMMAND_INVALID', 'one of --from and --to'],
    [{ to: 'order' }, 'REQUEST_INVALID', 'no such service'],
    [{ from: '/a', policy: undefined as unknown as string }, 'COMMAND_INVALID', '--entries without --policy'],
  ] as const)('refuses %j', async ([change, code, words]) => {
    await expect(reach({ ...plain, ...change })).rejects.toThrowCode(code, words)
  })
})
