import { compile } from '../../src/policy/compile.ts'
import { resolveMembership } from '../../src/policy/resolve-membership.ts'
import { SliceIndex } from '../../src/policy/slice-index.ts'
import { sliceOf } from '../../src/policy/slice.ts'
import { ask } from '../ask.ts'
import { percentiles } from '../load.ts'
import { fleetEntries, fleetPolicy, pathOf, TRUST_DOMAIN, type FleetSize } from '../policy-fleet.ts'

const SIZE: FleetSize = { identities: 100_000, zones: 1000, services: 5000, rules: 50_000 }
const SLICES = 500

await ask(
  'A policy of 100,000 identities, 1,000 zones, 50,000 rules',
  ({ isQuick, add }) => {
    const set = fleetPolicy(SIZE)
    const entries = fleetEntries(SIZE)
    const rounds = isQuick ? 2 : 5
    const [resolved, compiled, indexed, sliced]: number[][] = [[], [], [], []]
    const timed = <T>(times: number[] | undefined, work: () => T): T => {
      const start = performance.now()
      const result = work()
      times?.push(performance.now() - start)
      return result
    }
    for (let round = 0; round < rounds; round++) {
      const rows = timed(resolved, () => resolveMembership(set, entries))
      timed(compiled, () => compile(set, rows))
      const index = timed(indexed, () => new SliceIndex(set, rows))
      for (let slice = 0; slice < SLICES; slice++) {
        // Half of them have a service, and so everything that leads into it.
        const id = `spiffe://${TRUST_DOMAIN}${pathOf(slice % 2 === 0 ? slice * 7 : SIZE.services + slice * 181, SIZE)}`
        timed(sliced, () => sliceOf(index, id))
      }
    }
    const seconds = (times: number[] | undefined): number => percentiles(times ?? []).p50Ms / 1000
    const slices = percentiles(sliced ?? [])
    add(
      { name: 'rows of all identities', value: seconds(resolved), unit: 's' },
      { name: 'rows and tables', value: seconds(resolved) + seconds(compiled), unit: 's', atMost: 2, scales: true },
      { name: 'index of slices', value: seconds(indexed), unit: 's' },
      { name: 'one slice, p50', value: slices.p50Ms, unit: 'ms', atMost: 5, scales: true },
      { name: 'one slice, p99', value: slices.p99Ms, unit: 'ms', atMost: 5, scales: true },
    )
  },
  { needsPackage: false },
)
