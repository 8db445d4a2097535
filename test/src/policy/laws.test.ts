import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compile } from '../../../src/policy/compile.ts'
import { decide } from '../../../src/policy/decide.ts'
import type { Decision } from '../../../src/policy/decision.ts'
import { explain } from '../../../src/policy/explain.ts'
import { indexLifecycle } from '../../../src/policy/lifecycle-index.ts'
import type { PolicySet } from '../../../src/policy/policy-set.ts'
import { printExplanation } from '../../../src/policy/print-explanation.ts'
import { resolveMembership } from '../../../src/policy/resolve-membership.ts'
import { SliceIndex } from '../../../src/policy/slice-index.ts'
import { sliceOf } from '../../../src/policy/slice.ts'
import { idOf } from './acme.ts'
import { anyWorld, paths, type SmallWorld } from './small-world.ts'

const RUNS = { numRuns: 500 }

function decideIn({ set, entries, lifecycle, request }: SmallWorld): Decision {
  return decide(compile(set, resolveMembership(set, entries)), indexLifecycle(lifecycle), request)
}

const rank = ({ decision }: Decision): number => (decision === 'allow' ? 1 : 0)
const holds = (law: (world: SmallWorld) => void): void => fc.assert(fc.property(anyWorld, law), RUNS)

describe('laws', () => {
  test('the worlds are a mix: most codes and both answers come up', () => {
    const seen = new Map<string, number>()
    for (const world of fc.sample(anyWorld, { numRuns: 3000, seed: 7 })) {
      const { decision, code, gates } = decideIn(world)
      for (const key of [`${decision} ${code}`, gates.movement.by?.kind, gates.access.by?.kind]) {
        if (key !== undefined) seen.set(key, (seen.get(key) ?? 0) + 1)
      }
    }
    expect(seen.get('allow null') ?? 0).toBeGreaterThan(200)
    expect([...seen.keys()]).toEqual(expect.arrayContaining(['conduit', 'rule', 'grant', 'breakGlass', 'guard']))
    const wanted = [
      'GUARD',
      'OUTSIDE_WINDOW',
      'CONDUIT_EXPIRED',
      'NO_CONDUIT',
      'DENY_RULE',
      'NO_RULE',
      'QUARANTINED',
      'AMBIGUOUS_ZONE',
    ]
    expect([...seen.keys()]).toEqual(expect.arrayContaining(wanted.map((code) => `deny ${code}`)))
    expect([...seen.keys()].some((key) => key.startsWith('allow NO_'))).toBe(true)
  })

  test('adding a deny rule or a guard never allows more', () => {
    holds((world) => {
      const without = (rules: PolicySet['rules'], guards: PolicySet['guards']) =>
        rank(decideIn({ ...world, set: { ...world.set, rules, guards } }))
      const { rules, guards } = world.set
      const all = without(rules, guards)
      for (const rule of rules) {
        if (rule.effect === 'deny')
          expect(all).toBeLessThanOrEqual(
            without(
              rules.filter((other) => other !== rule),
              guards,
            ),
          )
      }
      for (const guard of guards) {
        expect(all).toBeLessThanOrEqual(
          without(
            rules,
            guards.filter((other) => other !== guard),
          ),
        )
      }
    })
  })

  test('removing an allow rule or a conduit never allows more', () => {
    holds((world) => {
      const all = rank(decideIn(world))
      for (const rule of world.set.rules) {
        const rules = world.set.rules.filter((other) => other !== rule)
        if (rule.effect === 'allow')
          expect(rank(decideIn({ ...world, set: { ...world.set, rules } }))).toBeLessThanOrEqual(all)
      }
      for (const conduit of world.set.conduits) {
        const conduits = world.set.conduits.filter((other) => other !== conduit)
        expect(rank(decideIn({ ...world, set: { ...world.set, conduits } }))).toBeLessThanOrEqual(all)
      }
    })
  })

  test('quarantine, offboarding and the end of grants never allow more', () => {
    holds((world) => {
      const all = rank(decideIn(world))
      const lifecycle = { ...world.lifecycle, grants: [], breakGlass: [] }
      expect(rank(decideIn({ ...world, lifecycle }))).toBeLessThanOrEqual(all)
      const freed = { ...world.lifecycle, quarantines: [], offboarded: [], revokedSerials: [] }
      expect(rank(decideIn({ ...world, lifecycle: freed }))).toBeGreaterThanOrEqual(all)
    })
  })

  test('SE-43: nothing relaxes by itself: a zone that enforces passes nothing that its policy refuses, at any time, age or lifecycle', () => {
    holds((world) => {
      const zones = world.set.zones.map((zone) => ({ ...zone, mode: 'enforce' as const, enforceOnly: [] }))
      for (const laterMs of [0, 60_000, 86_400_000, 365 * 86_400_000]) {
        const { now, policyAgeMs } = world.request
        const request = { ...world.request, now: now + laterMs, policyAgeMs: policyAgeMs + laterMs }
        const { decision, raw, wouldDeny, mode } = decideIn({ ...world, set: { ...world.set, zones }, request })
        expect({ decision, wouldDeny, mode }).toEqual({ decision: raw, wouldDeny: false, mode: 'enforce' })
      }
    })
  })

  test('observe mode never changes the raw answer', () => {
    holds((world) => {
      const zones = world.set.zones.map((zone) => ({ ...zone, mode: 'enforce' as const, enforceOnly: [] }))
      const { decision: _, mode: __, wouldDeny: ___, ...observed } = decideIn(world)
      const {
        decision,
        mode: ____,
        wouldDeny: _____,
        ...enforced
      } = decideIn({ ...world, set: { ...world.set, zones } })
      expect(observed).toEqual(enforced)
      expect(decision).toBe(enforced.raw)
    })
  })

  test('SE-42: observe mode never admits a foreign peer that is refused', () => {
    holds((world) => {
      const { src, decision, raw } = decideIn(world)
      if (src.id?.startsWith('spiffe://prod.acme.example/') !== true) expect(decision).toBe(raw)
    })
  })

  test('ZO-26: the answer does not depend on the order of objects', () => {
    holds((world) => {
      const { set, lifecycle, entries } = world
      const turned: SmallWorld = {
        ...world,
        entries: entries.toReversed(),
        set: {
          ...set,
          zones: set.zones.toReversed(),
          services: set.services.toReversed(),
          conduits: set.conduits.toReversed(),
          guards: set.guards.toReversed(),
          rules: set.rules.toReversed(),
        },
        lifecycle: {
          ...lifecycle,
          grants: lifecycle.grants.toReversed(),
          quarantines: lifecycle.quarantines.toReversed(),
        },
      }
      expect(decideIn(turned)).toEqual(decideIn(world))
    })
  })

  test('explain and decide agree, and every explanation prints', () => {
    holds((world) => {
      const tables = compile(world.set, resolveMembership(world.set, world.entries))
      const explanation = explain(tables, indexLifecycle(world.lifecycle), world.request)
      expect(explanation.decision).toEqual(decideIn(world))
      expect(printExplanation(explanation)).toMatch(explanation.decision.decision === 'allow' ? /^ALLOW/ : /^DENY/)
      const { movement, access } = explanation.decision.gates
      for (const [gate, by] of [
        ['movement', movement.by],
        ['access', access.by],
      ] as const) {
        if (by !== null) expect(explanation.candidates).toContainEqual(expect.objectContaining({ gate, id: by.id }))
      }
    })
  })

  test('the answer stands until it says that it may change', () => {
    fc.assert(
      fc.property(anyWorld, fc.nat(1e9), (world, later) => {
        const now = decideIn(world)
        const { peer, jwt } = world.request
        if (now.deniedBy === 'identity' || !('notAfter' in peer) || jwt !== undefined) return
        const span = Math.min(now.expires - world.request.now, 48 * 3_600_000)
        expect(span).toBeGreaterThan(0)
        const shift = later % span
        const request = {
          ...world.request,
          now: world.request.now + shift,
          policyAgeMs: world.request.policyAgeMs + shift,
        }
        const { expires: _, ...then } = decideIn({ ...world, request })
        expect(then).toEqual({
          ...now,
          expires: undefined,
          ...then,
          code: now.code,
          decision: now.decision,
          gates: now.gates,
        })
      }),
      RUNS,
    )
  })

  test('a question that was asked before is answered alike', () => {
    fc.assert(
      fc.property(anyWorld, anyWorld, (world, other) => {
        const tables = compile(world.set, resolveMembership(world.set, world.entries))
        const lifecycle = indexLifecycle(world.lifecycle)
        const first = decide(tables, lifecycle, world.request)
        decide(tables, indexLifecycle(other.lifecycle), other.request)
        expect(decide(tables, lifecycle, world.request)).toEqual(first)
      }),
    )
  })
})

describe('a slice', () => {
  const rowsOf = ({ set, entries }: SmallWorld) => resolveMembership(set, entries)
  const sliced = (
    world: SmallWorld,
    path: string,
  ): SmallWorld['set'] & { readonly members: ReturnType<typeof rowsOf> } => {
    const { policy, members, displaced } = sliceOf(new SliceIndex(world.set, rowsOf(world)), idOf(path))
    return { ...policy, members: [...displaced, ...members] }
  }
  const decideBy = ({ members, ...set }: ReturnType<typeof sliced>, { lifecycle, request }: SmallWorld) =>
    decide(compile(set, members), indexLifecycle(lifecycle), request)

  test('decides about its services as the whole policy, in every field', () => {
    holds((world) => {
      const identity = world.set.services.find(({ id }) => id === world.request.service)?.identity
      if (identity !== undefined) expect(decideBy(sliced(world, identity), world)).toEqual(decideIn(world))
    })
  })

  test('decides about what its identity may reach as the whole policy, and leaves out only what that refuses', () => {
    fc.assert(
      fc.property(anyWorld, fc.constantFrom(...paths), (world, path) => {
        const { jwt: _, ...request } = {
          ...world.request,
          peer: { spiffeId: idOf(path), serialNumber: '1', notAfter: world.request.now + 1 },
        }
        const asked = { ...world, request }
        const slice = sliced(world, path)
        const [part, whole] = [decideBy(slice, asked), decideIn(asked)]
        if (slice.services.some(({ id }) => id === request.service)) expect(part).toEqual(whole)
        else expect([part.decision, whole.decision]).toEqual(['deny', 'deny'])
      }),
      RUNS,
    )
  })

  test('rows may change one by one', () => {
    fc.assert(
      fc.property(anyWorld, anyWorld, fc.constantFrom(...paths), (world, other, path) => {
        const index = new SliceIndex(world.set, rowsOf(world))
        const after = rowsOf({ ...world, entries: other.entries })
        for (const { spiffeId } of rowsOf(world))
          if (!after.some((row) => row.spiffeId === spiffeId)) index.remove(spiffeId)
        for (const row of after) index.put(row)
        expect(sliceOf(index, idOf(path))).toEqual(sliceOf(new SliceIndex(world.set, after), idOf(path)))
      }),
    )
  })
})
