import type { Place } from '../config/yaml-source.ts'
import { SallyportError } from '../errors.ts'

/** Something about a policy that is wrong or deserves a look. */
export interface Finding {
  readonly code: string
  readonly severity: 'error' | 'warning'
  /** Steps into the file, such as `rules.3.actions.0`; empty: the whole. */
  readonly path: string
  /** Where it stands, when the policy was read from a file. */
  readonly place: Place | undefined
  readonly message: string
  readonly remedy: string
}

/** A policy that cannot be used, with all that is wrong with it. */
export class PolicyProblems extends SallyportError {
  readonly findings: readonly Finding[]

  constructor(file: string, findings: readonly Finding[]) {
    const shown = findings.slice(0, SHOWN_MAX).map((finding) => `  ${printFinding(file, finding)}`)
    const more = findings.length > SHOWN_MAX ? [`  and ${findings.length - SHOWN_MAX} more`] : []
    const count = findings.length === 1 ? 'a problem' : `${findings.length} problems`
    super('POLICY_INVALID', `Cannot use ${file}: ${count}\n${[...shown, ...more].join('\n')}`)
    this.findings = findings
  }
}

/** A message names this many problems; `findings` holds all. */
const SHOWN_MAX = 200

/** `policy.yaml:12:5 rules.3.to: unknown service "order", did you mean "orders"?` */
export function printFinding(file: string, { path, place, message }: Finding): string {
  const at = place === undefined ? file : `${file}:${place.line}:${place.column}`
  return `${at} ${path === '' ? '' : `${path}: `}${message}`
}
