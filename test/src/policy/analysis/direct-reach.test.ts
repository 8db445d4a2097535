import { describe, expect, test } from 'vitest'
import { directReach } from '../../../../src/policy/analysis/direct-reach.ts'
import { possibleOutcomes } from '../../../../src/policy/analysis/possible-outcomes.ts'
import { compile } from '../../../../src/policy/compile.ts'
import { compileCondition, type ConditionFacts } from '../../../../src/policy/condition/compile-condition.ts'
import { decide } from '../../../../src/policy/decide.ts'
import { indexLifecycle } from '../../../../src/policy/lifecycle-index.ts'
import { NO_LIFECYCLE } from '../../../../src/policy/lifecycle.ts'
import { resolveMembership } from '../../../../src/policy/resolve-membership.ts'
import { printSallyport, randomCondition } from '../../../cedar/condition.ts'
import { requestOf } from '../../../cedar/compare.ts'
import { Random } from '../../../cedar/random.ts'
import { randomWorld } from '../../../cedar/random-world.ts'

const lifecycle = indexLifecycle(NO_LIFECYCLE)

function randomFacts(random: Random): ConditionFacts {
  const party = () => ({
    id: 'spiffe://example.org/a',
    zone: random.of(['z0', 'z1', undefined]),
    target: random.of([0, 2, 4, undefined]),
    labels: Object.fromEntries(random.some(['env', 'tier'], 0.5).map((key) => [key, random.of(['p', 's'])])),
  })
  return {
    src: party(),
    dst: party(),
    method: random.of(['GET', 'POST', undefined]),
    route: random.of(['/x/{id}', undefined]),
    authority: random.of(['svc', undefined]),
    port: random.of([1000, 1001]),
    ip: random.of(['10.1.2.3', undefined]),
  }
}

describe('possibleOutcomes()', () => {
  test('ZO-61: holds what a condition comes to for every request', () => {
    const random = new Random(7)
    for (let turn = 0; turn < 3000; turn++) {
      const text = printSallyport(randomCondition(random, 3))
      const facts = randomFacts(random)
      const value = compileCondition(text)(facts)
      const { mayHold, mayFail, mayErr } = possibleOutcomes({}, text)(facts.src, facts.dst)
      expect(value === 'error' ? mayErr : value ? mayHold : mayFail, `${text} is ${value}`).toBe(true)
    }
  })

  test('is exact where nothing of the request is read', () => {
    const facts = { id: 'spiffe://example.org/a', zone: 'z0', target: 1, labels: {} }
    expect(possibleOutcomes({}, 'src.zone == "z0"')(facts, facts)).toEqual({
      mayHold: true,
      mayFail: false,
      mayErr: false,
    })
    expect(possibleOutcomes({}, 'src.labels["x"] == "1"')(facts, facts)).toEqual({
      mayHold: false,
      mayFail: false,
      mayErr: true,
    })
    expect(possibleOutcomes({}, 'src.zone == "z1" && net.port == 1')(facts, facts)).toEqual({
      mayHold: false,
      mayFail: true,
      mayErr: false,
    })
    expect(possibleOutcomes({}, 'src.zone == "z0" || net.port == 1')(facts, facts)).toEqual({
      mayHold: true,
      mayFail: false,
      mayErr: false,
    })
  })
})

describe('directReach()', () => {
  test.for(['intended', 'effective'] as const)(
    'reaches whatever a request is allowed, at its instant and from it on: %s',
    (variant) => {
      const allowed = { count: 0 }
      for (let seed = 1; seed <= 200; seed++) {
        const world = randomWorld(new Random(seed))
        const tables = compile(world.set, resolveMembership(world.set, world.entries))
        for (const question of world.questions) {
          const decision = decide(tables, lifecycle, requestOf(question))
          const source = tables.parties.of(question.id)
          const isAllowed = variant === 'intended' ? decision.raw === 'allow' : decision.decision === 'allow'
          if (!isAllowed || decision.action === null || typeof source === 'string') continue
          allowed.count++
          for (const moment of [{ at: question.now }, { from: question.now }]) {
            const reach = directReach(tables, source, { moment, variant })
            const actions = reach
              .find(({ service }) => service === question.service)
              ?.actions.map(({ action }) => action)
            expect(actions, `seed ${seed} ${JSON.stringify(question)}`).toContain(decision.action)
          }
        }
      }
      expect(allowed.count).toBeGreaterThan(30)
    },
  )
})
