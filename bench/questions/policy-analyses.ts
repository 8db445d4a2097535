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
    const times: Record<'closure' | 'radius' | 'radiusCpu' | 'diff' | 'diffCpu', number[]> = {
      ...{ closure: [], radius: [], radiusCpu: [], diff: [], diffCpu: [] },
    }
    for (let round = 0; round < (isQuick ? 2 : 5); round++) {
      // What an analysis has found out about tables is kept with them, so each round has its own.
      const { tables, rows } = place(set)
      const lap = stopwatch()
      const all = new BlastRadii(new ReachGraph(tables, { moment: { from: 0 }, variant: 'effective' }))
      times.closure.push(lap().ms)
      all.ofAll(rows)
      const radius = lap()
      times.radius.push(radius.ms)
      times.radiusCpu.push(radius.cpuMs)
      const diffLap = stopwatch()
      diffPolicies({ tables, rows }, after, { moment: { from: 0 }, variant: 'intended' })
      const diff = diffLap()
      times.diff.push(diff.ms)
      times.diffCpu.push(diff.cpuMs)
    }
    const seconds = (some: number[]): number => percentiles(some).p50Ms / 1000
    add(
      { name: 'which services lead to which', value: seconds(times.closure), unit: 's' },
      { name: 'blast radius of all identities', value: seconds(times.radius), unit: 's' },
      { name: '… processor time', value: seconds(times.radiusCpu), unit: 's', atMost: 1, scales: true },
      { name: 'difference of two revisions', value: seconds(times.diff), unit: 's' },
      { name: '… processor time', value: seconds(times.diffCpu), unit: 's', atMost: 10, scales: true },
    )
  },
  { needsPackage: false },
)

/** Time and processor time since it was made, of all threads: on a machine that others use too only the latter says much. */
function stopwatch(): () => { readonly ms: number; readonly cpuMs: number } {
  const [start, cpu] = [performance.now(), process.cpuUsage()]
  return () => {
    const { user, system } = process.cpuUsage(cpu)
    return { ms: performance.now() - start, cpuMs: (user + system) / 1000 }
  }
}
