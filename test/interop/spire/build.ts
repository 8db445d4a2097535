import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const here = import.meta.dirname
const programs = ['spire-agent', 'spire-server'] as const

export const spireProgram = (name: (typeof programs)[number]): string => join(here, 'bin', name)

/** Why the programs of SPIRE are not there to be tried. */
export const unbuilt: string | undefined = programs.every((name) => existsSync(spireProgram(name)))
  ? undefined
  : '`npm run test:spire` builds them, which takes minutes'

// `npm run test:spire` runs this first: SPIRE has two thousand packages, which `npm test` is spared.
if (import.meta.main) {
  const packages = programs.map((name) => `github.com/spiffe/spire/cmd/${name}`)
  const { status } = spawnSync('go', ['build', '-o', 'bin/', ...packages], { cwd: here, stdio: 'inherit' })
  process.exitCode = status ?? 1
}
