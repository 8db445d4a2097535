import { BlastRadii } from '../../src/policy/analysis/blast-radius.ts'
import { diffPolicies } from '../../src/policy/analysis/policy-diff.ts'
import { ReachGraph } from '../../src/policy/analysis/reach.ts'
import { compile } from '../../src/policy/compile.ts'
import type { PolicySet } from '../../src/policy/policy-set.ts'
import { resolveMembership } from '../../src/policy/resolve-membership.ts'
import { ask } from '../ask.ts'
import { percentiles } from '../load.ts'
import { fleetEntries, fleetPolicy, type FleetSize } from '../policy-fleet.ts'

const SIZE: FleetSize = { identities: 100_000, zones: 1000, services: 5000, rules: 50_000 }

/** What moves most: all guards gone, a tenth of the zones of another target, a tenth of the conduits cut. */
const changed = (set: PolicySet): PolicySet => ({
  ...set,
  guards: [],
  zones: set.zones.map((zone, index) => (index % 10 === 0 ? { ...zone, target: 3 } : zone)),
  conduits: set.conduits.filter((_, index) => index % 10 !== 0),
})

await ask(
  'Blast radius and differences of 100,000 identities, 1,000 zones, 50,000 rules',
  ({ isQuick, add }) => {
    const entries = fleetEntries(SIZE)
    const place = (set: PolicySet) => {
      const rows = resolveMembership(set, entries)
      return { tables: compile(set, rows), rows }
    }
    const set = fleetPolicy(SIZE)
    const after = place(changed(set))
    const [closures, radii, cpus, diffs]: number[][] = [[], [], [], []]
    for (let round = 0; round < (isQuick ? 2 : 5); round++) {
      // What an analysis has found out about tables is kept with them, so each round has its own.
      const { tables, rows } = place(set)
      const graph = new ReachGraph(tables, { moment: { from: 0 }, variant: 'effective' })
      const before = process.cpuUsage()
      const start = performance.now()
      const all = new BlastRadii(graph)
      closures?.push(performance.now() - start)
      all.ofAll(rows)
      radii?.push(performance.now() - start)
      cpus?.push(process.cpuUsage(before).user / 1000)
      const diffStart = performance.now()
      diffPolicies({ tables, rows }, after, { moment: { from: 0 }, variant: 'intended' })
      diffs?.push(performance.now() - diffStart)
    }
    const seconds = (times: number[] | undefined): number => percentiles(times ?? []).p50Ms / 1000
    add(
      { name: 'which services lead to which', value: seconds(closures), unit: 's' },
      { name: 'blast radius of all identities', value: seconds(radii), unit: 's', atMost: 1, scales: true },
      { name: '… processor time', value: seconds(cpus), unit: 's' },
      { name: 'difference of two revisions', value: seconds(diffs), unit: 's', atMost: 10, scales: true },
    )
  },
  { needsPackage: false },
)
