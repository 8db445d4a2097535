import { runPolicyTests } from '../src/policy-file/run-tests.ts'
import { checkPromotion, type PromotionCheck } from '../src/policy/analysis/promotion.ts'
import { radiusByZone, type ZoneRadius } from '../src/policy/analysis/radius-by-zone.ts'
import { compile } from '../src/policy/compile.ts'
import { analysed, type Analysed } from './analysis-source.ts'
import { EXIT } from './context.ts'
import { observedTraffic } from './decision-source.ts'
import { instantOf } from './instants.ts'
import type { Result } from './print.ts'
import { zoneOf, type ZoneOptions } from './zone-show.ts'

export async function promoteZone(options: ZoneOptions, id: string): Promise<Result> {
  const source = await analysed(options)
  const zone = zoneOf(source, id)
  if (zone.mode === 'enforce')
    return { value: { zone: id, mode: 'enforce', checks: [] }, sentence: `Zone ${id} enforces already.` }
  const now = Date.now()
  const { observingSince } = options
  const checks = [
    ...checkPromotion(source.tables, id, {
      rows: source.rows,
      observations: await observedTraffic(options),
      observingSinceMs: observingSince === undefined ? undefined : instantOf(observingSince),
      now,
    }),
    greenTests(source, now),
  ]
  const passed = checks.every((check) => check.passed)
  process.exitCode = passed ? EXIT.ok : EXIT.failed
  const radius = radiusDelta(source, id, now)
  return {
    value: { zone: id, mode: zone.mode, passed, checks, radius },
    rows: checks.map(({ check, passed, detail }) => ({ check, result: passed ? 'ok' : 'MISSING', detail })),
    sentence: [
      ...radius.map(
        ({ zone, before, after }) => `from zone ${zone || '-'}: ${before} → ${after} services within reach at most`,
      ),
      passed
        ? `Zone ${id} may enforce: set \`mode: enforce\` in the policy file, then \`sallyport policy apply\`.`
        : `Zone ${id} stays in observe mode. \`sallyport suggest --zone ${id}\` drafts what is missing.`,
    ].join('\n'),
  }
}

function greenTests({ set, entries }: Analysed, now: number): PromotionCheck {
  const { passed, tests, invariants } = runPolicyTests(set, { now, registered: entries })
  const failed = [
    ...tests.filter((test) => !test.passed).map(({ name }) => name),
    ...invariants.filter(({ outcome }) => outcome === 'failed').map((invariant) => invariant.id),
  ]
  return {
    check: 'tests and invariants hold',
    passed,
    detail: passed ? `${tests.length} tests, ${invariants.length} invariants` : failed.slice(0, 5).join(', '),
  }
}

interface RadiusDelta {
  readonly zone: string
  readonly before: number
  readonly after: number
}

/** What enforcing takes away from whoever is compromised. */
function radiusDelta({ set, rows, tables }: Analysed, id: string, now: number): RadiusDelta[] {
  const options = { moment: { from: now }, variant: 'effective' } as const
  const zones = set.zones.map((zone) => (zone.id === id ? { ...zone, mode: 'enforce' as const } : zone))
  const byZone = (radii: readonly ZoneRadius[]) => new Map(radii.map(({ zone, maxServices }) => [zone, maxServices]))
  const before = byZone(radiusByZone(tables, rows, options))
  const after = byZone(radiusByZone(compile({ ...set, zones }, rows), rows, options))
  return [...before]
    .map(([zone, most]) => ({ zone, before: most, after: after.get(zone) ?? 0 }))
    .filter((delta) => delta.before !== delta.after)
}
