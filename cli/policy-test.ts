import { PolicyProblems } from '../src/policy-file/finding.ts'
import { runPolicyTests, type Covered, type TestReport } from '../src/policy-file/run-tests.ts'
import { compile } from '../src/policy/compile.ts'
import { EXIT } from './context.ts'
import { usablePolicy } from './policy-validate.ts'
import { counted, printError, type Result } from './print.ts'
import type { GlobalOptions } from './context.ts'

export interface TestOptions extends GlobalOptions {
  readonly name?: string
  readonly coverage?: boolean
  readonly base?: string
}

export async function testPolicy(options: TestOptions, path: string): Promise<Result | undefined> {
  try {
    const { set } = await usablePolicy(path)
    const base = options.base === undefined ? undefined : compile((await usablePolicy(options.base)).set, [])
    const report = runPolicyTests(set, { now: Date.now(), only: options.name, base })
    process.exitCode = report.passed ? EXIT.ok : EXIT.failed
    return resultOf(report, options.coverage === true)
  } catch (error) {
    if (!(error instanceof PolicyProblems)) throw error
    // For whoever runs tests a file that cannot be tested has failed.
    printError(error, options.output)
    process.exitCode = EXIT.failed
    return undefined
  }
}

function resultOf({ passed, tests, invariants, coverage }: TestReport, withCoverage: boolean): Result {
  const failed =
    tests.filter(({ passed }) => !passed).length + invariants.filter(({ outcome }) => outcome === 'failed').length
  const lines = [
    ...tests.flatMap(({ name, passed, problems }) => [`${passed ? 'ok  ' : 'FAIL'}  ${name}`, ...indented(problems)]),
    ...invariants.flatMap(({ id, outcome, problems }) => [`${words[outcome]}  invariant ${id}`, ...indented(problems)]),
    `${counted(tests.length, 'test')}, ${counted(invariants.length, 'invariant')}: ${failed === 0 ? 'all hold' : `${failed} failed`}.`,
    ...(withCoverage
      ? [...coverageLines('rules', coverage.rules), ...coverageLines('conduits', coverage.conduits)]
      : []),
  ]
  const readable = tests.map(({ name, passed, problems, decision }) => ({
    name,
    passed,
    problems,
    decision: decision.raw,
    deniedBy: decision.deniedBy,
    code: decision.code,
  }))
  return {
    value: { passed, tests: readable, invariants, ...(withCoverage ? { coverage } : {}) },
    sentence: lines.join('\n'),
  }
}

const words = { held: 'ok  ', failed: 'FAIL', skipped: 'skip' } as const
const indented = (problems: readonly string[]): string[] => problems.map((problem) => `        ${problem}`)

const coverageLines = (what: string, { total, hit, missed }: Covered): string[] => [
  `${hit} of ${total} ${what} are used by a test`,
  ...missed.map((id) => `  not used: ${id}`),
]
