import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { sha256 } from '../../agent/policy/signed-content.ts'
import { decodeMessage } from '../../src/wire/decode-message.ts'
import { encodeMessage } from '../../src/wire/encode-message.ts'
import { policyUpdateType } from '../../src/wire/messages/sallyport-policy-v1.ts'
import { House } from './house.ts'
import { BY_PATH, ZoneProcess } from './zone-process.ts'
import { zonesPolicy } from './zones-policy.ts'

// Three services in three zones, each a process with an SVID of its own, over mutual TLS: from observe to enforce, and what happens
// when somebody is in quarantine, something is broken, or nobody answers. One after the other, in one house.

/** In memory, where keys of workloads outlive the agent. */
const memory = mkdtempSync('/dev/shm/sallyport-zones-')
let house: House
let store: ZoneProcess
let orders: ZoneProcess
let ledger: ZoneProcess

beforeAll(async () => {
  house = await House.open({ agentYaml: BY_PATH, runtimeDir: memory })
  ;[store, orders, ledger] = await Promise.all([
    ZoneProcess.start(house, '/web/store', 0),
    ZoneProcess.start(house, '/shop/orders', 8443),
    ZoneProcess.start(house, '/pay/ledger', 9443, ['--label', 'pci=true']),
  ])
}, 90_000)

afterAll(async () => {
  await Promise.all([store, orders, ledger].map((one) => one?.stop()))
  await house?.[Symbol.asyncDispose]()
  rmSync(memory, { recursive: true, force: true })
})

async function apply(text: string, ...options: readonly string[]): Promise<void> {
  writeFileSync(house.path('policy.yaml'), text)
  const { revision } = await house.json<{ revision: { revision: number } }>(
    'policy',
    'apply',
    house.path('policy.yaml'),
    ...options,
  )
  await Promise.all([orders.holds(revision.revision), ledger.holds(revision.revision)])
}

const savedPolicy = (): string => house.path('agent/private/data/policy.bin')
const savedPolicies = (): string[] => [savedPolicy(), house.path('agent/private/data/policy-copy.bin')]

async function eventually<T>(read: () => Promise<T>, holds: (value: T) => boolean, withinMs = 30_000): Promise<T> {
  const giveUp = Date.now() + withinMs
  for (;;) {
    const value = await read()
    if (holds(value)) return value
    if (Date.now() > giveUp) throw new Error(`did not come true: ${JSON.stringify(value)}`)
    await sleep(100)
  }
}

test('without a policy everything is refused', async () => {
  const { status, decided } = await store.call(orders)
  expect({ status, decided }).toMatchObject({ status: 0, decided: { decision: 'deny' } })
  // It says so for itself, although no policy tells it who it is.
  const show = () => house.cli('--output', 'json', 'decisions', 'show', decided.id)
  const { stdout } = await eventually(show, ({ code }) => code === 0)
  expect(JSON.parse(stdout)).toMatchObject({ dst: { id: orders.spiffeId, zone: null }, decision: 'deny' })
}, 60_000)

test('ZO-30: zones that observe let pass, and note what they would refuse', async () => {
  await apply(zonesPolicy('observe'))
  expect(await store.call(orders)).toMatchObject({ status: 200, decided: { wouldDeny: false } })
  const { status, decided } = await store.call(orders, 'POST', '/v1/orders')
  expect({ status, decided }).toMatchObject({ status: 200, decided: { wouldDeny: true, code: 'NO_RULE' } })
  const noted = await eventually(
    () => house.json<{ id: string }[]>('decisions', 'list', '--would-deny', '--to-zone', 'shop'),
    (found) => found.some(({ id }) => id === decided.id),
  )
  expect(noted[0]).toMatchObject({ src: { zone: 'web' }, dst: { service: 'orders' }, deniedBy: 'access' })
}, 60_000)

test('zones that enforce refuse at the connection and at the request, and the server can say why', async () => {
  await apply(zonesPolicy('enforce'))
  expect(await store.call(orders)).toMatchObject({ status: 200, decided: { decision: 'allow' } })
  expect(await orders.call(ledger, 'GET', '/v1/ledger')).toMatchObject({ status: 200 })
  const moved = await store.call(ledger, 'GET', '/v1/ledger')
  expect(moved).toMatchObject({ status: 0, decided: { deniedBy: 'movement', code: 'NO_CONDUIT' } })
  const asked = await store.call(orders, 'POST', '/v1/orders')
  expect(asked).toMatchObject({ status: 403, decided: { deniedBy: 'access', code: 'NO_RULE' } })
  for (const { id, code } of [moved.decided, asked.decided]) {
    const show = () => house.cli('decisions', 'show', id)
    const { stdout } = await eventually(show, (shown) => shown.code === 0)
    expect(stdout).toContain(`DENY ${id === moved.decided.id ? 'movement' : 'access'} ${String(code)}`)
    const command = /sallyport (policy explain .*)$/m.exec(stdout)?.[1] ?? ''
    const words = [...command.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, bare]) => quoted ?? bare ?? '')
    expect(await house.cli(...words)).toMatchObject({ code: 3, stdout: expect.stringContaining(String(code)) })
  }
}, 90_000)

test('what the agent has acknowledged of the policy shows at the server', async () => {
  const [{ revision }] = await house.json<[{ revision: number }]>('policy', 'list')
  const show = () => house.json<{ policy?: { revision: number; refused: string } }>('agent', 'show', house.nodeId)
  await eventually(show, ({ policy }) => policy?.revision === revision && policy.refused === '')
  const { stdout } = await house.cli('agent', 'show', house.nodeId)
  expect(stdout).toMatch(new RegExp(`policy +acknowledged revision ${revision}, fast lane 0`))
}, 30_000)

/** Until its agent gives it its identity, or nothing. */
const isServed = (service: ZoneProcess, isWanted: boolean) =>
  eventually(
    () => service.status(),
    ({ identity }) => (identity === service.spiffeId) === isWanted,
    60_000,
  )

test('a quarantine closes 1,000 open connections, lets none in, and is lifted', async () => {
  await store.keep()
  await store.hold(orders, 1_000)
  await eventually(
    () => orders.status(),
    ({ open }) => open === 1_000,
  )
  const { id } = await house.json<{ id: string }>('quarantine', 'add', '/web/store', '--reason', 'stolen key')
  const answeredAtMs = Date.now()
  const { atMs } = await store.next('allClosed')
  expect(atMs - answeredAtMs).toBeLessThan(2_000)
  expect(await orders.status()).toMatchObject({ open: 0 })
  // Its agent gives it nothing any more, and who has kept what it gave before is let in nowhere.
  await isServed(store, false)
  expect(await store.callAsKept(orders)).toMatchObject({ status: 0, decided: { code: 'QUARANTINED' } })
  const { fastLane } = await orders.status()
  await house.json('quarantine', 'rm', id)
  await isServed(store, true)
  await eventually(
    () => orders.status(),
    (now) => now.fastLane > fastLane,
  )
  expect(await store.call(orders)).toMatchObject({ status: 200 })
}, 180_000)

test('SE-41: without a server decisions go on until the policy is too old for the zone', async () => {
  await apply(zonesPolicy('enforce').replace('owner: team-pay,  members', 'owner: team-pay, hardStale: 12s, members'))
  await house.server?.stop('SIGKILL')
  expect(await orders.call(ledger, 'GET', '/v1/ledger')).toMatchObject({ status: 200 })
  const refused = await eventually(
    () => orders.call(ledger, 'GET', '/v1/ledger'),
    ({ status }) => status === 0,
  )
  expect(refused.decided).toMatchObject({ deniedBy: 'identity', code: 'POLICY_STALE' })
  expect((await ledger.status()).ageMs).toBeGreaterThanOrEqual(12_000)
  // Of target 2, it may be a day old.
  expect(await store.call(orders)).toMatchObject({ status: 200 })
}, 90_000)

test('without a server, an agent that starts again serves what it has saved, and not as if it were new', async () => {
  await house.agent?.stop()
  expect(await store.call(orders)).toMatchObject({ status: 200 })
  await house.startAgent()
  await orders.stop()
  orders = await ZoneProcess.start(house, '/shop/orders', 8443)
  expect(await store.call(orders)).toMatchObject({ status: 200 })
  expect((await orders.status()).ageMs).toBeGreaterThan(12_000)
}, 90_000)

test('SE-45: a saved policy with one other byte is refused, and so is whoever it would let in', async () => {
  await house.agent?.stop()
  const good = readFileSync(savedPolicy())
  const bad = Buffer.from(good)
  bad[bad.length >> 1]! ^= 1
  for (const path of savedPolicies()) writeFileSync(path, bad)
  await house.startAgent()
  await orders.stop()
  orders = await ZoneProcess.start(house, '/shop/orders', 8443)
  expect(await store.call(orders)).toMatchObject({ status: 0, decided: { decision: 'deny' } })
  await house.startServer()
  await eventually(
    () => store.call(orders),
    ({ status }) => status === 200,
  )
  await eventually(
    () => orders.call(ledger, 'GET', '/v1/ledger'),
    ({ status }) => status === 200,
  )
}, 120_000)

test('SE-45: an agent whose disk was rolled back is brought up to date at once', async () => {
  await house.agent?.stop()
  copyFileSync(savedPolicy(), house.path('older.bin'))
  await house.startAgent()
  await apply(
    zonesPolicy(
      'enforce',
      '  - { id: bg-web, activate: group:commanders, approvals: 2, maxDuration: 30m, from: [ ops ], to: [ web ], overrides: [ rules ], never: [ quarantine, hard-guards, identity ] }',
    ),
  )
  const [current] = await house.json<{ revision: number }[]>('policy', 'list')
  await house.agent?.stop()
  for (const path of savedPolicies()) copyFileSync(house.path('older.bin'), path)
  await house.startAgent()
  await orders.stop()
  orders = await ZoneProcess.start(house, '/shop/orders', 8443)
  await orders.holds(current!.revision)
  expect(await store.call(orders)).toMatchObject({ status: 200 })
}, 120_000)

test('SE-40: a gap in the saved fast lane is noticed: the agent gets all of it again', async () => {
  await store.keep()
  await house.json('quarantine', 'add', '/ops/nobody', '--reason', 'first').catch(() => undefined)
  const added = await house.json<{ id: string }>('quarantine', 'add', '/web/store', '--reason', 'second')
  await isServed(store, false)
  await house.json('offboard', 'add', '/pay/ledger', '--reason', 'third')
  await isServed(ledger, false)
  await house.agent?.stop()
  const update = decodeMessage(policyUpdateType, readFileSync(savedPolicy()).subarray(32))
  expect(update.fastLane.length).toBeGreaterThan(2)
  const fastLane = update.fastLane.toSpliced(-2, 1)
  const content = encodeMessage(policyUpdateType, { ...update, fastLane })
  for (const path of savedPolicies()) writeFileSync(path, Buffer.concat([sha256(content), content]))
  await house.startAgent()
  await orders.stop()
  orders = await ZoneProcess.start(house, '/shop/orders', 8443)
  expect((await store.callAsKept(orders)).decided).toMatchObject({ code: 'QUARANTINED' })
  await house.json('quarantine', 'rm', added.id)
  await house.json('offboard', 'rm', '/pay/ledger')
  await isServed(store, true)
  await isServed(ledger, true)
  await eventually(
    () => store.call(orders),
    ({ status }) => status === 200,
  )
  await eventually(
    () => orders.call(ledger, 'GET', '/v1/ledger'),
    ({ status }) => status === 200,
  )
}, 120_000)

test('what is said while an agent is away is heard when it is back: its services close what is open', async () => {
  await store.hold(orders, 20)
  await house.agent?.stop()
  const { id } = await house.json<{ id: string }>('quarantine', 'add', '/web/store', '--reason', 'meanwhile')
  expect(await orders.status()).toMatchObject({ open: 20 })
  await house.startAgent()
  await store.next('allClosed')
  await isServed(store, false)
  await house.json('quarantine', 'rm', id)
  await isServed(store, true)
  await eventually(
    () => store.call(orders),
    ({ status }) => status === 200,
  )
}, 120_000)

test('a clock that jumps past the end of SVIDs ends connections, and one that comes back lets them in again', async () => {
  await store.hold(orders, 5)
  orders.setClock(3 * 3_600_000)
  await store.next('allClosed')
  const decided = await orders.next('decided', ({ decision }) => decision === 'deny')
  expect(decided).toMatchObject({ deniedBy: 'identity', code: 'SVID_EXPIRED' })
  orders.setClock(0)
  await eventually(
    () => store.call(orders),
    ({ status }) => status === 200,
  )
}, 90_000)

test('SE-45: a policy that takes the last right of a zone in use is applied only when that is said, and rolled back', async () => {
  const less = zonesPolicy('enforce').replace(/ {2}- \{ id: web-orders.*\n/, '')
  writeFileSync(house.path('policy.yaml'), less)
  const refused = await house.cli('policy', 'apply', house.path('policy.yaml'))
  expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('zone web with 1 registered identities') })
  await apply(less, '--accept-loss')
  expect(await store.call(orders)).toMatchObject({ status: 403, decided: { code: 'NO_RULE' } })
  const { revision } = await house.json<{ revision: { revision: number } }>('policy', 'rollback')
  await orders.holds(revision.revision)
  expect(await store.call(orders)).toMatchObject({ status: 200 })
}, 60_000)
