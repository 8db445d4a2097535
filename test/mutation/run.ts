// `npm run mutate`: changes every operator and condition on the decide path, one at a time, and says which changes no test notices.
// Options: --files decide,access · --budget 20 (seconds per mutant) · --minutes 30 · --jobs 2
//   --ids 20,59 (only these: the numbers beside the survivors, which hold for these sources and --files)
//   --save FILE (what became of each that was tried, as JSON lines: file, line, change, killer; a killer of null: it survived)
import { spawn } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { instrument, type Mutant } from './instrument.ts'

const { values } = parseArgs({
  options: {
    files: { type: 'string' },
    budget: { type: 'string', default: '20' },
    minutes: { type: 'string', default: '30' },
    jobs: { type: 'string', default: '2' },
    ids: { type: 'string' },
    save: { type: 'string' },
  },
})

const root = resolve(import.meta.dirname, '../..')
/** From what the peer is to what is done about it. */
const DECIDE_PATH = [
  'decide',
  'identity-stage',
  'lifecycle-stage',
  'movement',
  'access',
  'guards',
  'guard',
  'conduit',
  'windows',
  'bounded-cache',
  'elevation',
  'grant-template',
  'forwarded',
  'membership-rules',
  'resolve-membership',
  'parties',
  'canonical-path',
  'match-action',
  'zone',
]
/**
 * Laws on random policies and slices of very many identities take longer than there is time for each mutant; a small comparison with
 * Cedar stands in for the laws.
 */
const TOO_SLOW = /(laws|long-slices)\.test/
const SMALL_CEDAR = 'test/cedar/small.test.ts'

const files = (values.files?.split(',') ?? DECIDE_PATH).map((name) => `src/policy/${name}.ts`)
const copy = mkdtempSync(join(tmpdir(), 'sallyport-mutation-'))
const limit = Number(values.minutes) * 60_000

function makeCopy(): readonly Mutant[] {
  for (const folder of ['src', 'test']) cpSync(join(root, folder), join(copy, folder), { recursive: true })
  for (const name of ['package.json', 'tsconfig.json']) cpSync(join(root, name), join(copy, name))
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
  const mutants: Mutant[] = []
  for (const file of files) {
    const result = instrument(readFileSync(join(root, file), 'utf8'), file, mutants.length + 1)
    mutants.push(...result.mutants)
    writeFileSync(join(copy, file), result.code)
  }
  writeFileSync(join(copy, SMALL_CEDAR), smallCedar)
  // Modules are loaded anew for each mutant, and with them the class that the matcher knows.
  const setup = join(copy, 'test/setup.ts')
  writeFileSync(
    setup,
    readFileSync(setup, 'utf8').replace(
      'thrown instanceof SallyportError',
      "(thrown as SallyportError)?.name === 'SallyportError'",
    ),
  )
  for (const file of judges()) {
    const path = join(copy, file)
    writeFileSync(
      path,
      readFileSync(path, 'utf8').replace(/from 'vitest'/, `from '${join(copy, 'test/mutation/collect.ts')}'`),
    )
  }
  cpSync(join(copy, 'test/mutation/driver.ts'), join(copy, 'driver.test.ts'))
  writeFileSync(
    join(copy, 'vitest.config.ts'),
    `export default { resolve: { alias: { 'mutation-runtime': ${JSON.stringify(join(copy, 'test/mutation/runtime.ts'))} } },
      test: { include: ['driver.test.ts'], setupFiles: ['test/setup.ts'], pool: 'forks', testTimeout: 1e8 } }\n`,
  )
  return mutants
}

const smallCedar = `import { expect, test } from 'vitest'
import { compareEngines } from './compare.ts'

test('Cedar decides the same', () => {
  expect(compareEngines(1, 40).disagreements).toEqual([])
})
`

function judges(): string[] {
  const folders = ['test/src/policy', 'test/src/policy/mutants']
  const found = folders.flatMap((folder) =>
    existsSync(join(root, folder))
      ? readdirSync(join(root, folder)).flatMap((name) => (name.endsWith('.test.ts') ? join(folder, name) : []))
      : [],
  )
  return [...found.filter((file) => !TOO_SLOW.test(file)), SMALL_CEDAR]
}

/** Who killed each mutant; null: nobody; missing: there was no time. */
async function judge(mutants: readonly Mutant[]): Promise<ReadonlyMap<number, string | null>> {
  const jobs = Number(values.jobs)
  mkdirSync(join(copy, 'results'))
  const results = await Promise.all(
    Array.from({ length: jobs }, async (_, job) => {
      const share = mutants.map(({ id }) => id).filter((_id, index) => index % jobs === job)
      const plan = join(copy, 'results', `plan-${job}.json`)
      const path = join(copy, 'results', `${job}.jsonl`)
      writeFileSync(path, '')
      const budgetMs = Number(values.budget) * 1000
      writeFileSync(
        plan,
        JSON.stringify({ files: judges().map((file) => join(copy, file)), share, results: path, budgetMs }),
      )
      await runVitest(plan)
      return readFileSync(path, 'utf8').trim().split('\n').filter(Boolean)
    }),
  )
  const lines = results
    .flat()
    .map((line) => JSON.parse(line) as { id?: number; killer?: string | null; baseline?: string })
  const broken = new Set(lines.flatMap(({ baseline }) => baseline ?? []))
  for (const name of broken) console.log(`fails without a mutant, so it judges none: ${name}`)
  return new Map(lines.flatMap(({ id, killer }) => (id === undefined ? [] : [[id, killer ?? null] as const])))
}

function runVitest(plan: string): Promise<void> {
  const { promise, resolve: done } = Promise.withResolvers<void>()
  const child = spawn(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--root', copy], {
    cwd: copy,
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, MUTATION_PLAN: plan },
    timeout: limit,
  })
  child.on('close', () => done())
  return promise
}

function save(path: string, mutants: readonly Mutant[], killers: ReadonlyMap<number, string | null>): void {
  const lines = mutants.flatMap(({ id, file, line, change }) => {
    const killer = killers.get(id)
    return killer === undefined ? [] : `${JSON.stringify({ file, line, change, killer })}\n`
  })
  writeFileSync(path, lines.join(''))
}

function report(mutants: readonly Mutant[], killers: ReadonlyMap<number, string | null>): void {
  const tried = mutants.filter(({ id }) => killers.has(id))
  const survived = tried.filter(({ id }) => killers.get(id) === null)
  for (const { id, file, line, change } of survived) console.log(`survived: ${id} ${file}:${line} ${change}`)
  for (const file of files) {
    const own = tried.filter((mutant) => mutant.file === file)
    if (own.length === 0) continue
    const alive = survived.filter((mutant) => mutant.file === file).length
    console.log(`${file}: ${own.length - alive} of ${own.length} killed`)
  }
  const score = tried.length === 0 ? 0 : (100 * (tried.length - survived.length)) / tried.length
  if (tried.length < mutants.length) console.log(`${mutants.length - tried.length} were not tried: no time was left`)
  console.log(`score ${score.toFixed(1)} %: ${tried.length - survived.length} killed, ${survived.length} survived`)
  process.exitCode = score >= 90 ? 0 : 1
}

try {
  const all = makeCopy()
  const only = values.ids === undefined ? undefined : new Set(values.ids.split(',').map(Number))
  const mutants = all.filter(({ id }) => only?.has(id) ?? true)
  console.log(`${mutants.length} of ${all.length} mutants of ${files.length} files`)
  const killers = await judge(mutants)
  if (values.save !== undefined) save(values.save, mutants, killers)
  report(mutants, killers)
} finally {
  rmSync(copy, { recursive: true })
}
