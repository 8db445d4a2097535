import { copyFileSync, renameSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { readSlice } from '../../src/policy/read-slice.ts'
import type { SliceDocument } from '../../src/policy/signed-documents.ts'
import type { FastLaneEntry } from '../../src/policy/fast-lane.ts'
import { openChannel } from '../../src/wire/channel.ts'
import type { Transport } from '../../src/wire/client.ts'
import { workloadPolicyService, type PolicyUpdate } from '../../src/wire/messages/sallyport-policy-v1.ts'
import { lifecycleService, policiesService, registrationsService } from '../../src/wire/messages/sallyport-server-v1.ts'
import { entryService } from '../../src/wire/messages/spire-api-server-entry-v1.ts'
import { House } from './house.ts'

// The real server and a real agent: what is applied, labelled and quarantined at the admin socket is what a workload gets.

const owner = 'owner: team-shop'
const policyText = (more = ''): string => `
apiVersion: sallyport.dev/v1
kind: PolicySet
metadata: { name: shop, trustDomain: example.org, owner: "group:platform" }
zones:
  - { id: web,  target: 1, sensitivity: internal,     admin: none, mode: enforce, ${owner}, members: [ { spiffe: /web/** } ] }
  - { id: shop, target: 2, sensitivity: confidential, admin: none, mode: enforce, ${owner}, members: [ { spiffe: /shop/** }, { entryLabel: { pci: "true" } } ] }
services:
  - id: orders
    identity: /shop/orders
    listeners: [ { name: api, port: 8443, protocol: http, alpn: [h2] } ]
    actions: { read: [ { methods: [GET], path: /v1/orders } ] }
conduits:
  - { id: web-to-shop, from: web, to: shop, allow: [ { protocol: http, ports: [8443] } ], ${owner}, review: 2027-03-01, justification: calls the API }
rules:
  - { id: web-orders, from: [ /web/store ], to: orders, actions: [ read ], ${owner} }
${more}
`
const store = 'spiffe://example.org/web/store'

let house: House
let admin: Transport
const opened: Transport[] = []

beforeAll(async () => {
  house = await House.open()
  await house.register('/web/store')
  await house.register('/shop/orders', '--selector', 'unix:uid:4000000000')
  connect()
})
afterEach(async () => {
  for (const transport of opened.splice(0)) await transport.close()
})
afterAll(async () => {
  await admin?.close()
  await house?.[Symbol.asyncDispose]()
})

const connect = (): void => {
  admin = openChannel({ address: { unix: house.serverSocket } })
}
const policies = () => admin.client(policiesService)
const lifecycle = () => admin.client(lifecycleService)
const apply = (source: string) => policies().apply({ source, dryRun: false, acceptLoss: false, note: '' })

/** What this process, as a workload, is told of policy from now on. */
function watched(): AsyncIterator<PolicyUpdate> {
  const transport = openChannel({ address: { unix: house.agentSocket } })
  opened.push(transport)
  const client = transport.client(workloadPolicyService)
  const updates = client.watchPolicy({}, { metadata: { 'workload.spiffe.io': 'true' } })
  return updates[Symbol.asyncIterator]()
}

async function nextWith<T>(
  updates: AsyncIterator<PolicyUpdate>,
  pick: (update: PolicyUpdate) => T | undefined,
): Promise<T> {
  for (;;) {
    const { value, done } = (await updates.next()) as IteratorResult<PolicyUpdate, undefined>
    if (done === true) throw new Error('the stream ended')
    const picked = pick(value)
    if (picked !== undefined) return picked
  }
}

const slicesIn = ({ slices }: PolicyUpdate): SliceDocument[] => slices.map(({ content }) => readSlice(content))
const sliceOf = (id: string) => (update: PolicyUpdate) => slicesIn(update).find(({ spiffeId }) => spiffeId === id)

async function eventually<T>(read: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  for (let tries = 0; tries < 100; tries += 1) {
    const value = await read()
    if (holds(value)) return value
    await sleep(100)
  }
  throw new Error('did not come true')
}

test('SE-45: an applied policy reaches a workload through its agent, and the server knows that it did', async () => {
  const updates = watched()
  expect(await apply(policyText())).toMatchObject({ revision: { revision: 1, appliedBy: 'local:uid:0' } })
  const slice = await nextWith(updates, sliceOf(store))
  expect(slice).toMatchObject({ revision: 1, policyName: 'shop' })
  expect(slice.policy.rules.map(({ id }) => id)).toEqual(['web-orders'])
  const { agents } = await eventually(
    () => policies().getStatus({}),
    (status) => status.agents[0]?.policyRevision === 1,
  )
  expect(agents).toMatchObject([{ connected: true, handlesPolicy: true, refused: '' }])
})

test('a label moves an identity into another zone, for the services that it concerns', async () => {
  const client = admin.client(registrationsService)
  const list = { filter: null, outputMask: null, pageSize: 0, pageToken: '' }
  const { entries } = await admin.client(entryService).listEntries(list)
  const entry = entries.find(({ spiffeId }) => spiffeId?.path === '/web/store')
  const update = { entry: { id: entry?.id ?? '' }, mask: null, labels: { pci: 'true' }, removedLabels: [] }
  const updates = watched()
  await nextWith(updates, sliceOf(store))
  const { results } = await client.updateEntries({ together: true, updates: [update] })
  expect(results).toMatchObject([{ status: { code: 0 }, labels: { pci: 'true' } }])
  const slice = await nextWith(updates, sliceOf(store))
  expect(slice.members.find(({ spiffeId }) => spiffeId === store)).toMatchObject({
    zone: 'shop',
    via: 'label pci=true',
  })
  await client.updateEntries({ together: true, updates: [{ ...update, labels: {}, removedLabels: ['pci'] }] })
})

test('a quarantine is heard by the workload at once, and stops issuance until it is lifted', async () => {
  const updates = watched()
  await lifecycle().addQuarantine({ identity: store, forensics: [], reason: 'stolen key' })
  const entry = await nextWith(updates, ({ fastLane }) => fastLane.at(-1))
  const { kind, body } = JSON.parse(entry.content.toString()) as FastLaneEntry
  expect([kind, body]).toMatchObject(['quarantine.add', { target: { identity: store } }])
  const mint = () => house.cli('mint', 'jwt', '--spiffe-id', store, '--audience', 'orders')
  const refused = await mint()
  expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('ISSUANCE_REFUSED')])
  await lifecycle().removeQuarantine({ id: store, reason: 'rotated' })
  expect((await mint()).code).toBe(0)
})

test('SE-45 SE-40: policy, quarantine and epoch outlive a restart of the server', async () => {
  await lifecycle().addQuarantine({ identity: store, forensics: [], reason: 'again' })
  const before = await policies().getStatus({})
  await admin.close()
  await house.server?.stop()
  await house.startServer()
  connect()
  const after = await policies().getStatus({})
  expect([after.epoch, after.revision, after.fastLaneSequence]).toEqual([before.epoch, 1, before.fastLaneSequence])
  expect((await lifecycle().listQuarantines({ includeEnded: false })).quarantines).toMatchObject([{ target: store }])
  await lifecycle().removeQuarantine({ id: store, reason: 'done' })
})

test('SE-45: a restored backup cannot issue a revision again: it is of a later epoch, which the agent follows', async () => {
  const { epoch } = await policies().getStatus({})
  await admin.close()
  await house.server?.stop()
  const file = `${house.serverData}/sallyport.db`
  copyFileSync(file, `${file}.backup`)
  await house.startServer()
  connect()
  await apply(policyText('  - { id: lost, from: [ /web/blog ], to: orders, actions: [ read ], owner: a }'))
  await admin.close()
  await house.server?.stop()
  renameSync(`${file}.backup`, file)
  await house.startServer()
  connect()
  const restored = await policies().getStatus({})
  expect(restored.revision).toBe(1)
  expect(restored.epoch).toBeGreaterThan(epoch)
  await apply(policyText('  - { id: other, from: [ /web/store ], to: orders, actions: [ read ], owner: a }'))
  const { agents } = await eventually(
    () => policies().getStatus({}),
    (status) => status.agents.some((agent) => agent.policyEpoch === restored.epoch && agent.policyRevision === 2),
  )
  expect(agents).toMatchObject([{ refused: '' }])
  const slice = await nextWith(watched(), sliceOf(store))
  expect(slice.policy.rules.map(({ id }) => id)).toContain('other')
})
