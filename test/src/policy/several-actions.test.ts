import { expect, test } from 'vitest'
import type { Action } from '../../../src/policy/policy-set.ts'
import { acme, decideIn, guard, rule, verdictOf, withMore, withZone } from './acme.ts'

// A request whose override header is honoured asks for two actions: of its method, and of the method that will be used.
const action = (name: string, method: string, path: string): Action => ({
  name,
  pivot: true,
  match: [{ kind: 'http', methods: [method], path, upgrade: undefined }],
})
const service = {
  ...acme.services[0]!,
  id: 's',
  identity: '/ns/shop/sa/s',
  authorities: [],
  honoursMethodOverride: true,
  actions: [action('post', 'POST', '/v1/{id}'), action('put', 'PUT', '/v1/{name}')],
}
const set = withMore({ services: [service] }, { ...acme, guards: [] })
const asked = { to: 's', http: { method: 'POST', target: '/v1/x', methodOverride: 'PUT' } }
const may = (id: string, actions: string[], change: Parameters<typeof rule>[3] = {}) =>
  rule(id, [{ pattern: '/ns/web/**' }], 's', { actions, ...change })

test('ZO-54: every one of them must be allowed, and the first that is not is told', () => {
  const outcome = (...rules: ReturnType<typeof may>[]) => {
    const { gates, action, route } = decideIn({ set: withMore({ rules }, set) }, asked)
    return [gates.access.by?.id ?? gates.access.code, action, route]
  }
  expect(outcome(may('a', ['post']), may('b', ['put']))).toEqual(['b', 'put', '/v1/{name}'])
  expect(outcome(may('a', ['post']))).toEqual(['NO_RULE', 'put', '/v1/{name}'])
  expect(outcome(may('b', ['put']))).toEqual(['NO_RULE', 'post', '/v1/{id}'])
})

test('ZO-54: a condition reads the route of the action that it is asked for', () => {
  const routed = (post: string, put: string) =>
    verdictOf(
      decideIn(
        {
          set: withMore(
            {
              rules: [
                may('a', ['post'], { when: `req.route == "${post}"` }),
                may('b', ['put'], { when: `req.route == "${put}"` }),
              ],
            },
            set,
          ),
        },
        asked,
      ),
    )
  expect(routed('/v1/{id}', '/v1/{name}')).toBe('allow')
  expect(routed('/v1/{name}', '/v1/{name}')).toBe('deny access NO_RULE')
})

test.for(['post', 'put'])('ZO-30: ZO-54: a hard guard of %s alone is not softened', (guarded) => {
  const observing = withZone('shop', { mode: 'observe' }, withMore({ rules: [may('a', ['post', 'put'])] }, set))
  const decided = (hard: boolean) =>
    decideIn(
      { set: withMore({ guards: [guard('g', 'access', { to: { actions: [guarded] }, hard })] }, observing) },
      asked,
    ).decision
  expect([decided(true), decided(false)]).toEqual(['deny', 'allow'])
})
