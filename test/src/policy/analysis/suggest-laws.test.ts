import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Observation } from '../../../../src/policy/analysis/observed.ts'
import { candidatesOf } from '../../../../src/policy/analysis/candidates.ts'
import { ReachGraph } from '../../../../src/policy/analysis/reach.ts'
import { suggest, type Suggested } from '../../../../src/policy/analysis/suggest.ts'
import { compile } from '../../../../src/policy/compile.ts'
import { decide } from '../../../../src/policy/decide.ts'
import { indexLifecycle } from '../../../../src/policy/lifecycle-index.ts'
import type { IdentityRow } from '../../../../src/policy/membership.ts'
import { isExact, parsePattern } from '../../../../src/policy/pattern.ts'
import { resolveMembership } from '../../../../src/policy/resolve-membership.ts'
import type { Tables } from '../../../../src/policy/tables.ts'
import { counter } from '../../../cli/analyses.ts'
import { entry, idOf, NOW, quarantineOf, rule } from '../acme.ts'
import { anyWorld, type SmallWorld } from '../small-world.ts'

const paths = ['/a/x', '/a/y', '/a/1', '/a/2', '/a/3', '/b/x', '/b/z/1', '/b/z/2/3', '/c/x', '/n/x']
const DAY = 20_777

interface Evidence {
  readonly path: string
  readonly service: string
  readonly action: string
  /** By bits: of three days, and of the two ends. */
  readonly days: number
  readonly sides: number
}

const anyEvidence: fc.Arbitrary<Evidence[]> = fc.array(
  fc.record({
    path: fc.constantFrom(...paths, '/a/x', '/a/y', '/a/1', '/a/2', '/a/3', '/b/z/1', '/b/z/2/3'),
    service: fc.constantFrom('s0', 's1', 's1', 's2'),
    action: fc.constantFrom('read', 'write'),
    days: fc.constantFrom(7, 7, 7, 5, 2, 1),
    sides: fc.constantFrom(3, 3, 3, 1, 2),
  }),
  { minLength: 1, maxLength: 12 },
)

const anyLabels = fc.constantFrom({}, { env: 'prod' }, { env: 'prod' }, { env: 'stage' })
const everywhere = fc.tuple(
  ...paths.map((path) => anyLabels.map((labels) => entry(path, labels as Record<string, string>))),
)

const ofA = ['/a/x', '/a/y', '/a/1', '/a/2', '/a/3']

/** All of a folder but one do the same, or somebody on several levels; of the one that does not, something may be known. */
const together: fc.Arbitrary<{
  readonly evidence: Evidence[]
  readonly apart: string
  readonly action: string
  readonly service: string
}> = fc
  .record({
    service: fc.constantFrom('s1', 's2'),
    action: fc.constantFrom('read', 'write'),
    paths: fc.oneof(fc.shuffledSubarray(ofA, { minLength: 4 }), fc.constant<string[]>(['/b/z/1', '/b/z/2/3'])),
  })
  .map(({ service, action, paths }) => ({
    ...{ service, action, apart: ofA.find((path) => !paths.includes(path)) ?? '/n/x' },
    evidence: paths.map((path) => ({ path, service, action, days: 7, sides: 3 })),
  }))

const anySuggesting: fc.Arbitrary<Suggesting> = fc
  .tuple(anyWorld, everywhere, anyEvidence, together, fc.constantFrom('', '', 'deny', 'quarantine', 'offboarded'))
  .map(([world, entries, evidence, { evidence: more, apart, service, action }, why]) => {
    const { set, lifecycle } = world
    const deny = rule('apart', [{ pattern: apart }], service, { effect: 'deny', actions: [action] })
    return suggesting(
      {
        ...{ ...world, entries },
        set: why === 'deny' ? { ...set, rules: [...set.rules, deny] } : set,
        lifecycle: {
          ...lifecycle,
          quarantines: [
            ...lifecycle.quarantines,
            ...(why === 'quarantine' ? [quarantineOf({ identity: idOf(apart) })] : []),
          ],
          offboarded: [...lifecycle.offboarded, ...(why === 'offboarded' ? [idOf(apart)] : [])],
        },
      },
      [...evidence, ...more],
    )
  })

interface Suggesting {
  readonly world: SmallWorld
  readonly rows: readonly IdentityRow[]
  readonly tables: Tables
  readonly observations: readonly Observation[]
  readonly suggested: Suggested
}

function suggesting(world: SmallWorld, evidence: readonly Evidence[]): Suggesting {
  const rows = resolveMembership(world.set, world.entries)
  const tables = compile(world.set, rows)
  const possible = evidence.filter(({ service, action }) => isServed(tables, service, action))
  const observations = possible.flatMap(({ path, service, action, days, sides }) =>
    [0, 1, 2].flatMap((day) =>
      (['server', 'client'] as const).flatMap((side, at) =>
        (days & (1 << day)) === 0 || (sides & (1 << at)) === 0
          ? []
          : (counter({
              ...{ source: idOf(path), service, action, day: DAY + day, side, port: 8443, wouldDeny: true },
              ...{ conduit: null, rule: null, deniedBy: 'movement', code: 'NO_CONDUIT' },
            }) as Observation),
      ),
    ),
  )
  const lifecycle = indexLifecycle(world.lifecycle)
  return {
    ...{ world, rows, tables, observations },
    suggested: suggest(tables, { observations, rows, lifecycle, now: NOW, zone: undefined }),
  }
}

function isServed({ services }: Tables, service: string, action: string): boolean {
  const { listeners, actions } = services.get(service)!.service
  const match = actions.find(({ name }) => name === action)?.match ?? []
  return listeners.some(({ protocol }) => match.some(({ kind }) => (kind === 'connect') === (protocol === 'tcp')))
}

const holds = (check: (suggesting: Suggesting) => void): void =>
  fc.assert(fc.property(anySuggesting, check), { numRuns: 400 })

/** Cells of everybody who is registered, by the way that analyses find them. */
function cellsOf(tables: Tables, rows: readonly IdentityRow[]): Set<string> {
  const graph = new ReachGraph(tables, { moment: { from: NOW }, variant: 'intended' })
  return new Set(
    rows.flatMap(({ spiffeId }) =>
      graph
        .direct(spiffeId)
        .flatMap(({ service, actions }) => actions.map(({ action }) => `${spiffeId} ${service} ${action}`)),
    ),
  )
}

/** Whom the rule of a suggestion names, as the engine finds them. */
const namedBy = (changed: Tables, rows: readonly IdentityRow[], rule: string): readonly IdentityRow[] =>
  rows.filter(({ spiffeId }) => {
    const party = changed.parties.of(spiffeId)
    return (
      typeof party !== 'string' &&
      candidatesOf(changed)
        .rulesOf(party)
        .some(({ id }) => id === rule)
    )
  })

describe('suggest()', () => {
  test('what it proposes lets everybody through who was seen, each of them', () => {
    holds(({ suggested: { suggestions, skipped, changed }, rows, observations }) => {
      const cells = cellsOf(changed, rows)
      const told = suggestions.flatMap(({ evidence }) => evidence.flows)
      for (const { source, service, action } of told) expect(cells).toContain(`${source} ${service} ${action}`)
      const flows = new Set(observations.map(({ source, service, action }) => `${source} ${service} ${action}`))
      expect(told.length + skipped.length).toBe(flows.size)
    })
  })

  test('it names nobody whom a deny rule refuses, who is in quarantine, or who is offboarded', () => {
    holds(({ suggested: { suggestions, changed }, rows, world }) => {
      const lifecycle = indexLifecycle(world.lifecycle)
      for (const { rule } of suggestions) {
        if (rule === undefined) continue
        const listener = changed.services.get(rule.to)?.service.listeners[0]
        for (const { spiffeId, labels } of namedBy(changed, rows, rule.id)) {
          if (rule.when !== undefined && labels['env'] !== /"(\w+)"$/.exec(rule.when)?.[1]) continue
          const party = changed.parties.of(spiffeId)
          expect(typeof party === 'string' ? party : lifecycle.quarantinesOf(party)).toEqual([])
          expect(lifecycle.offboarded.has(spiffeId)).toBe(false)
          for (const action of rule.actions) {
            const protocol = listener?.protocol ?? 'http'
            const { gates } = decide(changed, indexLifecycle({ ...world.lifecycle, quarantines: [] }), {
              ...{ now: NOW, policyAgeMs: 0, service: rule.to },
              peer: { spiffeId, serialNumber: '9', notAfter: NOW + 1000 },
              connection: { port: 8443, protocol, alpn: listener?.alpn[0] ?? null, ip: '10.0.0.1' },
              ...(protocol === 'tcp' ? {} : { request: requestFor(action) }),
            })
            expect(gates.access.code).not.toBe('DENY_RULE')
          }
        }
      }
    })
  })

  test('whatever it lets anybody do besides, it tells', () => {
    holds(({ suggested: { suggestions, changed }, tables, rows }) => {
      const told = new Set(
        suggestions.flatMap(({ evidence: { flows, beyond } }) =>
          [...flows, ...beyond].map(({ source, service, action }) => `${source} ${service} ${action}`),
        ),
      )
      for (const cell of cellsOf(changed, rows).difference(cellsOf(tables, rows))) expect(told).toContain(cell)
    })
  })

  test('it names more than sources one by one only where four of five of them were seen, and never into target 3', () => {
    holds(({ suggested: { suggestions, changed }, rows }) => {
      for (const { rule, evidence } of suggestions) {
        if (rule === undefined) continue
        const isWide = rule.from.some((subject) => 'zone' in subject || !isExact(parsePattern(subject.pattern)))
        expect(evidence.isOpen).toBe(isWide)
        const target = changed.services.get(rule.to)?.party.zone?.target ?? 0
        if (target >= 3) expect(isWide).toBe(false)
        const named = namedBy(changed, rows, rule.id).filter(
          ({ labels }) => rule.when === undefined || rule.when.endsWith(`"${labels['env']}"`),
        )
        const seen = new Set(evidence.flows.map(({ source }) => source))
        expect(seen.size).toBeGreaterThanOrEqual(0.8 * named.length)
      }
    })
  })

  test('these worlds lead to all of its forms', () => {
    const forms = new Set<string>()
    const samples = fc.sample(anySuggesting, { numRuns: 500, seed: 7 })
    for (const { suggested } of samples) {
      const { suggestions } = suggested
      for (const {
        rule,
        evidence: { beyond },
      } of suggestions) {
        if (rule === undefined) continue
        if (beyond.length > 0) forms.add('beyond')
        if (rule.when !== undefined) forms.add('label')
        for (const subject of rule.from)
          forms.add('zone' in subject ? 'zone' : (/\*\*?$/.exec(subject.pattern)?.[0] ?? 'exact'))
      }
    }
    expect([...forms].sort()).toEqual(['*', '**', 'beyond', 'exact', 'label', 'zone'])
  })
})

const requestFor = (action: string) => ({
  ...{ method: action === 'read' ? 'GET' : 'POST', target: '/v1/x', authorities: ['s'], upgrade: null },
  ...{ methodOverride: null, isGrpc: false },
})
