import { compile } from '../policy/compile.ts'
import { decide } from '../policy/decide.ts'
import type { Decision } from '../policy/decision.ts'
import { indexLifecycle } from '../policy/lifecycle-index.ts'
import { NO_LIFECYCLE } from '../policy/lifecycle.ts'
import type { IdentityRow, RegisteredIdentity } from '../policy/membership.ts'
import type { PolicySet, PolicyTest } from '../policy/policy-set.ts'
import { resolveMembership } from '../policy/resolve-membership.ts'
import type { Tables } from '../policy/tables.ts'
import { checkInvariants, type InvariantResult } from './invariants.ts'
import { sampleRequest, wholeId } from './sample-request.ts'

export interface TestOptions {
  /** Milliseconds since 1970; for tests without `at`. */
  readonly now: number
  readonly registered?: readonly RegisteredIdentity[]
  /** Only tests and invariants whose name holds this text. */
  readonly only?: string | undefined
  /** What `noNewAccess` compares with. */
  readonly base?: Tables | undefined
}

export interface TestResult {
  readonly name: string
  readonly passed: boolean
  /** What came out otherwise than expected. */
  readonly problems: readonly string[]
  readonly decision: Decision
}

export interface Coverage {
  readonly rules: Covered
  readonly conduits: Covered
}

export interface Covered {
  readonly total: number
  readonly hit: number
  /** In the order of the file. */
  readonly missed: readonly string[]
}

export interface TestReport {
  readonly passed: boolean
  readonly tests: readonly TestResult[]
  readonly invariants: readonly InvariantResult[]
  readonly coverage: Coverage
}

/**
 * Runs the tests and invariants of a policy. Tests compare what was decided before observe mode, so that they say the same on
 * the day when a zone begins to enforce.
 *
 * @see zones.md §3.15, §3.17
 */
export function runPolicyTests(set: PolicySet, options: TestOptions): TestReport {
  const { only = '', registered = [] } = options
  const rows = resolveMembership(set, registered)
  const tables = compile(set, rows)
  const chosen = set.tests.filter(({ name }) => name.includes(only))
  const tests = chosen.map((test) => runTest(tablesFor(set, rows, tables, test, registered), test, options.now))
  const invariants = checkInvariants(tables, {
    ...options,
    invariants: set.invariants.filter(({ id }) => id.includes(only)),
    registered: registered.map(({ spiffeId }) => spiffeId),
  })
  const passed = tests.every(({ passed }) => passed) && invariants.every(({ outcome }) => outcome !== 'failed')
  return { passed, tests, invariants, coverage: coverageOf(set, tests) }
}

/** A test that brings labels of its own stands for an identity that is registered with them. */
function tablesFor(
  set: PolicySet,
  rows: readonly IdentityRow[],
  tables: Tables,
  { from, to, labels }: PolicyTest,
  registered: readonly RegisteredIdentity[],
): Tables {
  if (labels === undefined) return tables
  const spiffeId = wholeId(from, set.trustDomain)
  const selectors = registered.find((entry) => entry.spiffeId === spiffeId)?.selectors ?? []
  const own = resolveMembership(set, [{ spiffeId, labels, selectors }])
  // Only the rules that the test can touch; guards may speak of any service.
  const rules = set.rules.filter((rule) => rule.to === to)
  return compile({ ...set, rules }, [...rows.filter((row) => row.spiffeId !== spiffeId), ...own])
}

function runTest(tables: Tables, test: PolicyTest, now: number): TestResult {
  const decision = decide(tables, indexLifecycle(NO_LIFECYCLE), sampleRequest(tables, test, now))
  const problems = [...differences(test.expect, decision)]
  return { name: test.name, passed: problems.length === 0, problems, decision }
}

function* differences(expected: PolicyTest['expect'], { raw, deniedBy, code, gates }: Decision): Generator<string> {
  const { movement, access } = gates
  const refused = raw === 'deny' ? ` (${deniedBy ?? ''} ${code ?? ''})` : ''
  if (raw !== expected.decision) yield `expected ${expected.decision}, got ${raw}${refused}`
  if (expected.gate !== undefined && expected.gate !== deniedBy)
    yield `expected the gate ${expected.gate} to refuse, got ${deniedBy ?? 'none'}`
  if (expected.code !== undefined && expected.code !== code)
    yield `expected code ${expected.code}, got ${code ?? 'none'}`
  const conduit = movement.by?.kind === 'conduit' ? movement.by.id : 'none'
  if (expected.conduit !== undefined && expected.conduit !== conduit)
    yield `expected conduit ${expected.conduit}, got ${conduit}`
  const rule = access.by?.kind === 'rule' ? access.by.id : 'none'
  if (expected.rule !== undefined && expected.rule !== rule) yield `expected rule ${expected.rule}, got ${rule}`
}

/** Hit: it opened or closed a gate in at least one test. */
function coverageOf(set: PolicySet, tests: readonly TestResult[]): Coverage {
  const openers = tests.flatMap(({ decision: { gates } }) => [gates.movement.by, gates.access.by])
  const covered = (
    kind: 'rule' | 'conduit',
    objects: readonly { readonly id: string; readonly stage: string }[],
  ): Covered => {
    const hit = new Set(openers.flatMap((by) => (by?.kind === kind ? by.id : [])))
    const live = objects.filter(({ stage }) => stage === 'live')
    const missed = live.flatMap(({ id }) => (hit.has(id) ? [] : id))
    return { total: live.length, hit: live.length - missed.length, missed }
  }
  return { rules: covered('rule', set.rules), conduits: covered('conduit', set.conduits) }
}
