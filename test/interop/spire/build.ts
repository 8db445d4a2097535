import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'

const here = import.meta.dirname
const programs = ['spire-agent', 'spire-server'] as const

/** The path of a program of SPIRE; undefined while it is not built. */
export function spireProgram(name: (typeof programs)[number]): string | undefined {
  const path = join(here, 'bin', name)
  return existsSync(path) ? path : undefined
}

// `npm run test:spire` runs this first: SPIRE has two thousand packages, which `npm test` is spared.
if (import.meta.main) {
  const packages = programs.map((name) => `github.com/spiffe/spire/cmd/${name}`)
  const { status } = spawnSync('go', ['build', '-o', 'bin/', ...packages], { cwd: here, stdio: 'inherit' })
  process.exitCode = status ?? 1
}
