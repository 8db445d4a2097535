import { checkEffects } from '../src/policy-file/check-effects.ts'
import { checkPolicy } from '../src/policy-file/check-policy.ts'
import { PolicyProblems, printFinding, type Finding } from '../src/policy-file/finding.ts'
import { readPolicyFile, type PolicyFile } from '../src/policy-file/read-policy.ts'
import type { RegisteredIdentity } from '../src/policy/membership.ts'
import { resolveMembership } from '../src/policy/resolve-membership.ts'
import { SliceIndex } from '../src/policy/slice-index.ts'
import { EXIT } from './context.ts'
import { policyName, policyText } from './policy-source.ts'
import { counted, type Result } from './print.ts'
import { readRegisteredFile } from './registered-file.ts'

/** Warnings of a policy under `--strict`. */
const EXIT_WARNINGS = 2

export interface ValidateOptions {
  readonly strict: boolean
  readonly entries?: string
}

export async function validatePolicy({ strict, entries }: ValidateOptions, path: string): Promise<Result> {
  const name = policyName(path)
  const registered = entries === undefined ? [] : readRegisteredFile(await policyText(entries), policyName(entries))
  const findings = findingsOf(await policyText(path), name, registered)
  const errors = findings.filter(({ severity }) => severity === 'error').length
  const warnings = findings.length - errors
  process.exitCode = errors > 0 ? EXIT.failed : strict && warnings > 0 ? EXIT_WARNINGS : EXIT.ok
  const summary =
    findings.length === 0
      ? `${name} is in order.`
      : `${counted(errors, 'error')}, ${counted(warnings, 'warning')} in ${name}.`
  return {
    value: { file: name, errors, warnings, findings: findings.map(findingValue) },
    sentence: [...findings.flatMap((finding) => findingLines(name, finding)), summary].join('\n'),
  }
}

function findingsOf(text: string, name: string, registered: readonly RegisteredIdentity[]): readonly Finding[] {
  try {
    const { set, placeOf } = readPolicyFile(text, name)
    const now = Date.now()
    const rows = resolveMembership(set, registered)
    const findings = checkPolicy(set, { registered, rows, placeOf, now })
    if (findings.some(({ severity }) => severity === 'error')) return findings
    return [...findings, ...checkEffects(new SliceIndex(set, rows), { placeOf, now })]
  } catch (error) {
    if (error instanceof PolicyProblems) return error.findings
    throw error
  }
}

/** Reads a policy that is to be used, not judged: with errors in it there is nothing that it could say. */
export async function usablePolicy(path: string): Promise<PolicyFile> {
  const name = policyName(path)
  const file = readPolicyFile(await policyText(path), name)
  const errors = checkPolicy(file.set, { placeOf: file.placeOf }).filter(({ severity }) => severity === 'error')
  if (errors.length > 0) throw new PolicyProblems(name, errors)
  return file
}

export const findingValue = ({ code, severity, path, place, message, remedy }: Finding) => ({
  code,
  severity,
  path,
  line: place?.line,
  column: place?.column,
  message,
  remedy,
})

const findingLines = (file: string, finding: Finding): string[] => [
  `${finding.severity} ${finding.code}: ${printFinding(file, finding)}`,
  `  → ${finding.remedy}`,
]
