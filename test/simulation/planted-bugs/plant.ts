import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Edit, PlantedBug } from './planted-bug.ts'

const root = join(import.meta.dirname, '../../..')
/** What a simulation needs of the sources. */
const COPIED = ['src', 'server', 'agent', 'proto', 'test/simulation', 'test/fakes', 'package.json', 'tsconfig.json']

/** Which seeds look for a bug. */
export interface Search {
  readonly seeds: number
  readonly from: number
}

/** What was found out about one planted bug. */
export interface Finding {
  readonly name: string
  /** How many seeds it took; undefined when none found it. */
  readonly seeds: number | undefined
  /** The rule that it broke. */
  readonly how: string
  readonly seconds: number
}

/** A copy of the sources in which mistakes can be made. */
export class Garden implements Disposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'sallyport-planted-'))

  constructor() {
    for (const path of COPIED) cpSync(join(root, path), join(this.#folder, path), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(this.#folder, 'node_modules'))
  }

  /** Makes the mistake, lets simulations look for it, and takes it back. */
  async find({ name, edits }: PlantedBug, options: Search): Promise<Finding> {
    const startMs = performance.now()
    for (const edit of edits) this.#apply(edit)
    try {
      const output = await this.#simulate(options)
      const found = /^seed (\d+) \(faults: [^)]*\): (.*)$/m.exec(output)
      const seeds = found?.[1] === undefined ? undefined : Number(found[1]) - options.from + 1
      return { name, seeds, how: found?.[2] ?? '', seconds: (performance.now() - startMs) / 1000 }
    } finally {
      for (const { file } of edits) cpSync(join(root, file), join(this.#folder, file))
    }
  }

  /** Throws when the sources have moved away from what the bug changes. */
  check({ edits }: PlantedBug): void {
    for (const edit of edits) this.#changed(edit)
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #apply(edit: Edit): void {
    writeFileSync(join(this.#folder, edit.file), this.#changed(edit))
  }

  #changed({ file, search, replace }: Edit): string {
    const text = readFileSync(join(this.#folder, file), 'utf8')
    if (text.split(search).length !== 2)
      throw new Error(`cannot plant a bug: ${file} does not hold this once: ${search}`)
    return text.replace(search, () => replace)
  }

  #simulate({ seeds, from }: Search): Promise<string> {
    const run = join(this.#folder, 'test/simulation/run.ts')
    const options = ['--seeds', String(seeds), '--seed', String(from), '--first']
    const child = spawn(process.execPath, [run, ...options], {
      cwd: this.#folder,
      // What did not change since the last bug is not compiled again.
      env: { ...process.env, NODE_COMPILE_CACHE: join(this.#folder, 'compiled') },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (output += chunk.toString()))
    return new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('close', () => {
        if (/ of \d+ failed;/.test(output)) resolve(output)
        else reject(new Error(`a simulation with a planted bug ended early:\n${output.slice(-2000)}`))
      })
    })
  }
}
