import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from '../e2e/processes.ts'

/** A runtime that the SDK is tried on: its package, the program in it, and what comes before the file to run. */
export interface Runtime {
  readonly name: string
  readonly package: string
  readonly program: string
  readonly args: readonly string[]
}

const platform = `${process.platform}-${process.arch}`
const nodeOf = (major: number): Runtime => {
  const name = `node-${platform}`
  return { name: `Node ${major}`, package: `${name}@${major}`, program: `${name}/bin/node`, args: [] }
}

/** What the npm registry carries for this machine. */
export const runtimes: readonly Runtime[] = [
  ...[22, 24, 26].map(nodeOf),
  { name: 'Deno', package: `@deno/${platform}-glibc@2`, program: `@deno/${platform}-glibc/deno`, args: ['run', '-A'] },
  { name: 'Bun', package: `@oven/bun-${platform}@1`, program: `@oven/bun-${platform}/bin/bun`, args: [] },
]

const cache = join(root, 'node_modules/.cache/sallyport-runtimes')
const folderOf = ({ name }: Runtime): string => join(cache, name.toLowerCase().replaceAll(' ', '-'))

/** The program of a runtime; undefined while it is not installed. */
export function installed(runtime: Runtime): string | undefined {
  const program = join(folderOf(runtime), 'node_modules', runtime.program)
  return existsSync(program) ? program : undefined
}

// `npm run test:runtimes` runs this first: each is a download of 100 MB and more, which a plain `npm ci` is spared.
if (import.meta.main) {
  for (const runtime of runtimes) {
    mkdirSync(folderOf(runtime), { recursive: true })
    writeFileSync(join(folderOf(runtime), 'package.json'), '{ "private": true }')
    const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--no-package-lock', '--prefix', folderOf(runtime)]
    const { status, stderr } = spawnSync('npm', ['install', ...flags, runtime.package], { encoding: 'utf8' })
    console.log(
      `${runtime.name}: ${status === 0 ? 'installed' : `cannot be installed: ${stderr.trim().split('\n')[0]}`}`,
    )
  }
}
