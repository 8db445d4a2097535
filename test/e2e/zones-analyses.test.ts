import { readFileSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { House } from './house.ts'
import { zonesPolicy } from './zones-policy.ts'

// The analyses as an operator types them, about the policy and the identities that a server holds.

const id = (path: string): string => `spiffe://example.org${path}`
const nobody = ['--selector', 'unix:uid:4000000000']

let house: House
let file: string

beforeAll(async () => {
  house = await House.open()
  for (const path of ['/web/store', '/web/blog', '/shop/orders', '/pay/ledger', '/nowhere/x'])
    await house.register(path, ...nobody)
  file = house.path('policy.yaml')
  writeFileSync(file, zonesPolicy())
  await house.json('policy', 'apply', file)
}, 240_000)

afterAll(async () => house?.[Symbol.asyncDispose]())

describe('analyses of what a server holds', { timeout: 300_000 }, () => {
  test('reach and blast-radius ask the policy in force', async () => {
    const reach = await house.json<{ from: { id: string }[] }>('reach', '--to', 'orders')
    expect(reach.from.map((one) => one.id)).toContain(id('/web/store'))
    const radius = await house.json<object>('blast-radius', '/web/store')
    expect(radius).toMatchObject({
      held: expect.arrayContaining([id('/web/store'), id('/shop/orders')]),
      worst: { enforcementKnown: true },
      window: { usualMs: 2000 },
    })
  })

  test('policy diff compares what is live with a file and with a revision', async () => {
    const same = await house.cli('policy', 'diff', 'live', file, '--traffic', '30d', '--no-new-access')
    expect(same).toMatchObject({ code: 0, stdout: 'Nobody gains or loses anything.\n' })
    const fewer = house.path('fewer.yaml')
    writeFileSync(fewer, readFileSync(file, 'utf8').replace(/^.*id: web-orders.*\n/m, ''))
    const lost = await house.json<{ lost: { service: string }[] }>('policy', 'diff', '1', fewer)
    expect(lost.lost.length).toBeGreaterThan(0)
    const gained = await house.cli('policy', 'diff', fewer, 'live', '--no-new-access')
    expect(gained.code).toBe(1)
  })

  test('zones are listed with who is in them, and their levels know how nodes attest', async () => {
    const zones = await house.json<{ id: string; identities: string[] }[]>('zone', 'list')
    expect(zones.find((zone) => zone.id === 'web')?.identities).toContain(id('/web/blog'))
    const { stdout } = await house.cli('zone', 'level', 'web')
    expect(stdout).toContain('nodes by join token')
  })

  test('reports, paths, suggest and simulate end as they say', async () => {
    const stale = await house.json<{ identities: { id: string; kind: string }[] }>('report', 'stale', '--issued')
    expect(stale.identities).toContainEqual({ id: id('/nowhere/x'), kind: 'unplaced', zone: null })
    for (const report of ['unused', 'evidence'])
      expect(await house.cli('report', report), report).toMatchObject({ code: 0 })
    expect((await house.cli('report', 'traffic')).code).toBe(0)
    expect((await house.cli('suggest')).stdout).toBe('# Nothing to propose.\n')
    expect((await house.cli('simulate', '--policy', file)).stdout).toContain('0 requests newly denied')
    expect([0, 1]).toContain((await house.cli('paths', '--to-crown-jewels', '--cut')).code)
  })
})
