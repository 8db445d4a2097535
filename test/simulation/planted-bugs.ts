// `node test/simulation/planted-bugs.ts [--seeds N]`: does the simulation find what it should? Each bug is put into a temporary copy of
// the sources, and seeds run there until one fails. The product holds no switch for any of them.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

interface PlantedBug {
  readonly name: string
  readonly file: string
  readonly from: string
  readonly to: string
}

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'an authority activates before it is known',
    file: 'server/authority/rotation.ts',
    from: 'if (now >= limit || (now >= known && missing.length === 0)) {',
    to: 'if (now >= row.changedAt) {',
  },
  {
    name: 'an authority leaves the bundle while SVIDs of it are valid',
    file: 'server/authority/rotation.ts',
    from: "const at = row.state === 'old' ? removalTime(one) : facts.now",
    to: 'const at = facts.now',
  },
  {
    name: 'a change is told to nobody',
    file: 'server/sync/followers.ts',
    from: 'this.#byAgent.get(agentId)?.mark(concern)',
    to: 'void concern',
  },
  {
    name: 'removals in a delta are ignored',
    file: 'agent/entries/entitlements.ts',
    from: 'changes.removedEntryIds.filter((id) => this.#removeEntry(id, concerned))',
    to: 'changes.removedEntryIds.filter(() => false)',
  },
  {
    name: 'an SVID is served after its end',
    file: 'agent/svids/x509-svid-cache.ts',
    from: 'return svid.notAfter.getTime() - EXPIRY_MARGIN_MS > this.#deps.clock.now().getTime()',
    to: 'return svid.notAfter.getTime() + 86_400_000 > this.#deps.clock.now().getTime()',
  },
  {
    name: 'a ban does not reach the agent',
    file: 'server/access/agent-rule.ts',
    from: 'if (agent.banned) throw',
    to: 'if (agent.banned && agent.version === undefined) throw',
  },
  {
    name: 'a join token is not spent',
    file: 'server/attest/join-token.ts',
    from: "const mutations: Mutation[] = [{ kind: 'token.spend', hash, at, address }]",
    to: 'const mutations: Mutation[] = []',
  },
  {
    name: 'bundles are left out of the saved view',
    file: 'agent/node/saved-state.ts',
    from: 'bundles: bundles.map((bundle) => bundleToMessage(bundle)),',
    to: 'bundles: [],',
  },
  {
    name: 'a workload gets what any of its selectors allows',
    file: 'src/entry/selector.ts',
    from: 'wanted.every((selector) =>',
    to: 'wanted.some((selector) =>',
  },
  {
    name: 'an agent SVID is never renewed',
    file: 'agent/upstream/timing.ts',
    from: 'return new Date(start + life * (EARLIEST + SPREAD * drawnFrom(random)))',
    to: 'return new Date(start + life * 3 + drawnFrom(random))',
  },
]

const root = join(import.meta.dirname, '../..')
const FIRST_SEED = 1
const TIMEOUT_MS = 300_000

/** The seed that found the bug, or undefined. */
export function findPlanted({ file, from, to, name }: PlantedBug, seeds: number): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-planted-'))
  try {
    for (const part of ['src', 'server', 'agent', 'proto', 'test', 'package.json']) {
      cpSync(join(root, part), join(folder, part), { recursive: true, filter: (path) => !path.includes('/interop/') })
    }
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    const source = readFileSync(join(folder, file), 'utf8')
    if (!source.includes(from)) throw new Error(`"${name}" cannot be planted: ${file} no longer holds ${from}`)
    writeFileSync(join(folder, file), source.replace(from, to))
    const args = ['test/simulation/run.ts', '--first', '--seeds', String(seeds), '--seed', String(FIRST_SEED)]
    const { stdout } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', timeout: TIMEOUT_MS })
    return /^seed (\d+) .*$/m.exec(stdout)?.[0]
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

if (import.meta.main) {
  const { values } = parseArgs({ options: { seeds: { type: 'string', default: '60' } } })
  const missed = plantedBugs.filter((bug) => {
    const found = findPlanted(bug, Number(values.seeds))
    console.log(
      `${found === undefined ? 'MISSED' : 'found '}  ${bug.name}${found === undefined ? '' : `: ${found.slice(0, 150)}`}`,
    )
    return found === undefined
  })
  console.log(`${plantedBugs.length - missed.length} of ${plantedBugs.length} planted bugs found`)
  process.exitCode = missed.length > 0 ? 1 : 0
}
