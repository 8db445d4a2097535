import { describe, expect, test } from 'vitest'
import { allowedCallers, isAmong, permissions, type CallerClass } from '../../../server/access/permissions.ts'
import type { Caller } from '../../../server/access/caller.ts'
import { serverImplementations } from '../../../server/rpc/server-implementations.ts'
import { syncImplementation } from '../../../server/sync/follow.ts'
import { anAgent, anId, anInstant } from '../../fakes/store-objects.ts'

/** Handlers are only looked at, so nothing behind them is needed. */
const nothing = {} as never
const served = [...serverImplementations(nothing), syncImplementation(nothing, nothing)]

describe('the table of permissions', () => {
  test('has a row for every method of every service that is served, and for no other', () => {
    const methods = served.flatMap(({ service }) =>
      Object.values(service.methods).map(({ name }) => `/${service.name}/${name}`),
    )
    const rows = Object.entries(permissions).flatMap(([service, table]) =>
      Object.keys(table).map((name) => `/${service}/${name}`),
    )
    expect(rows.toSorted()).toEqual(methods.toSorted())
  })

  test.for([
    '/spire.api.server.trustdomain.v1.TrustDomain/ListFederationRelationships',
    '/spire.api.server.localauthority.v1.LocalAuthority/GetX509AuthorityState',
    '/spire.api.server.logger.v1.Logger/GetLogger',
    '/spire.api.server.debug.v1.Debug/GetInfo',
    '/spire.api.server.agent.v1.Agent/Unknown',
    '/constructor/name',
    '/spire.api.server.agent.v1.Agent/toString',
    '',
  ])('nobody may call %s', (method) => {
    expect(allowedCallers(method)).toBeUndefined()
  })

  const common = { address: '127.0.0.1', expiresAt: anInstant(0) }
  const workload = { kind: 'workload', spiffeId: anId('/w'), roles: [], entryId: undefined, ...common } as const
  const agent = {
    ...common,
    kind: 'agent',
    spiffeId: anId('/spire/agent/a'),
    agent: anAgent('a'),
    serialNumber: '1',
    roles: [],
  } as const
  const callers: Readonly<Record<CallerClass | 'workload', Caller>> = {
    anyone: { kind: 'anyone', address: '127.0.0.1' },
    local: { kind: 'local', uid: 0, pid: 1 },
    admin: { ...workload, kind: 'admin', roles: ['admin'] },
    'zone-admin': { ...workload, kind: 'zone-admin', roles: ['zone-admin'] },
    downstream: { ...workload, kind: 'downstream', roles: ['downstream'] },
    agent,
    workload,
  }
  const all = Object.keys(callers) as (keyof typeof callers)[]
  const rows = Object.entries(permissions).flatMap(([service, table]) =>
    Object.entries(table).map(([name, classes]) => [`/${service}/${name}`, classes] as const),
  )

  test.for(rows)('%s is for %s alone', ([method, classes]) => {
    const expected = classes.includes('anyone')
      ? all
      : all.filter((kind) => (classes as readonly string[]).includes(kind))
    expect(all.filter((kind) => isAmong(callers[kind], allowedCallers(method) ?? []))).toEqual(expected)
  })

  test('who is bound to zones may call nothing that does not ask for them', () => {
    const open = rows
      .filter(([, classes]) => (classes as readonly string[]).includes('zone-admin'))
      .map(([method]) => method)
    expect(open.map((method) => method.slice(method.lastIndexOf('/') + 1)).toSorted()).toEqual(
      [
        ...['BatchCreateEntry', 'BatchDeleteEntry', 'BatchUpdateEntry', 'CountEntries', 'GetEntry', 'ListEntries'],
        ...['CreateEntries', 'UpdateEntries', 'ListLabels', 'ListMembers'],
        ...['AddQuarantine', 'ListQuarantines', 'RemoveQuarantine'],
      ].toSorted(),
    )
  })

  test('an agent that is an administrator too has both rights', () => {
    const both: Caller = { ...agent, roles: ['admin'] }
    expect(isAmong(both, ['agent'])).toBe(true)
    expect(isAmong(both, ['local', 'admin'])).toBe(true)
    expect(isAmong(agent, ['local', 'admin'])).toBe(false)
  })
})
