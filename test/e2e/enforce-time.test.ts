import { once } from 'node:events'
import { createServer } from 'node:tls'
import { expect, test } from 'vitest'
import { until } from '../fakes/until.ts'
import { bastionGrant, opsSession } from '../src/policy/acme.ts'
import { connectAs, EnforcedService, httpsService, svidOf } from './enforced-service.ts'

// What ends open connections without any message: the clock, at the peer itself.

const DATABASE = { service: 'orders-db', path: '/ns/data/sa/pg-orders', policyPort: 5432 }
const bastion = () => svidOf('/ns/ops/sa/bastion')

/** A database that says hello to whom it lets in. */
const database = () => createServer({ ALPNProtocols: ['postgresql'] }, (socket) => socket.write('hello'))

test('case 62 63 64: a grant opens what was closed, and its end closes what is open', async () => {
  await using service = await EnforcedService.start(database(), DATABASE)
  const early = await connectAs(await bastion(), service.port, ['postgresql'])
  await once(early.resume(), 'close')
  await until(() => service.agent.records.some(({ code }) => code === 'NO_CONDUIT'))

  const now = Date.now()
  service.agent.tell({ kind: 'grant.add', body: { ...bastionGrant, from: now - 1000, until: now + 2000 } })
  await until(() => service.policy.current().lifecycle.grants.length === 1)
  const held = await connectAs(await bastion(), service.port, ['postgresql'])
  await once(held, 'data')
  await once(held.resume(), 'close')
  await until(() => service.agent.records.some(({ code, reeval }) => code === 'GRANT_EXPIRED' && reeval !== null))
  expect(Date.now()).toBeGreaterThanOrEqual(now + 2000)
})

test('case 67: break-glass opens its zone pair, is noted as such, and its end closes what is open', async () => {
  await using service = await EnforcedService.start(database(), DATABASE)
  const now = Date.now()
  service.agent.tell({ kind: 'breakGlass.start', body: { ...opsSession, since: now - 1000, until: now + 60_000 } })
  await until(() => service.policy.current().lifecycle.breakGlass.length === 1)
  const held = await connectAs(await bastion(), service.port, ['postgresql'])
  await once(held, 'data')
  await until(() => service.agent.records.some(({ elevation }) => elevation?.breakGlass === opsSession.id))
  service.agent.tell({ kind: 'breakGlass.end', body: { id: opsSession.id } })
  await once(held.resume(), 'close')
})

test('case 71: a policy that is too old closes what is open, without a word from anybody', async () => {
  await using service = await EnforcedService.start(httpsService())
  const idle = await connectAs(await svidOf('/ns/web/sa/storefront'), service.port)
  await until(() => service.enforcer.connections.size === 1)
  service.agent.say({}, { ageMs: 25 * 3_600_000, stale: true })
  await once(idle.resume(), 'close')
  await until(() => service.agent.records.some(({ code, reeval }) => code === 'POLICY_STALE' && reeval !== null))
})
