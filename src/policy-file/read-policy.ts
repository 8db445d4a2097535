import { schemaProblems, type Problem } from '../config/schema-problems.ts'
import { readYaml, type Place } from '../config/yaml-source.ts'
import type { PolicySet } from '../policy/policy-set.ts'
import { fileSchema } from './file-schema.ts'
import { PolicyProblems, type Finding } from './finding.ts'

/** The largest policy file that is read. */
export const POLICY_MAX_BYTES = 16 << 20

/** A policy, and where in its file each part stands. */
export interface PolicyFile {
  readonly name: string
  readonly set: PolicySet
  placeOf(path: readonly PropertyKey[]): Place | undefined
}

/**
 * Reads the text of a policy file: YAML 1.2 core, or JSON.
 *
 * What it names need not exist: `checkPolicy` looks at that.
 *
 * @throws {@link PolicyProblems} `POLICY_INVALID` with all problems, by line and column
 * @see zones.md §3.15; ZO-62
 */
export function readPolicy(text: string, fileName = 'policy'): PolicySet {
  return readPolicyFile(text, fileName).set
}

/**
 * Reads a policy file and keeps the places, for findings of `checkPolicy`.
 *
 * @throws {@link PolicyProblems} `POLICY_INVALID`
 */
export function readPolicyFile(text: string, fileName = 'policy'): PolicyFile {
  if (Buffer.byteLength(text) > POLICY_MAX_BYTES) throw new PolicyProblems(fileName, [tooLarge])
  const source = readYaml(text)
  const result = fileSchema.safeParse(source.value)
  const unreadable = source.value === undefined && source.problems.length > 0
  const inShape = result.success || unreadable ? [] : schemaProblems(result.error, source.value, fileSchema)
  const findings = [
    ...source.problems.map((problem) => findingOf(problem, problem.place)),
    ...inShape.map((problem) =>
      findingOf(problem, problem.kind === 'unknown' ? source.placeOfKey(problem.path) : source.placeOf(problem.path)),
    ),
  ]
  if (findings.length > 0 || !result.success) throw new PolicyProblems(fileName, findings)
  return { name: fileName, set: result.data, placeOf: source.placeOf }
}

const tooLarge: Finding = {
  code: 'FILE_TOO_LARGE',
  severity: 'error',
  path: '',
  place: undefined,
  message: `larger than ${POLICY_MAX_BYTES} bytes`,
  remedy: 'Use wider patterns, or fewer tests.',
}

const kinds = {
  syntax: { code: 'YAML_INVALID', remedy: 'Write YAML 1.2, every key once.' },
  missing: { code: 'FIELD_MISSING', remedy: 'Add the field; docs/policy-reference.md describes it.' },
  unknown: { code: 'FIELD_UNKNOWN', remedy: 'Correct or remove the key; docs/policy-reference.md lists all.' },
  invalid: { code: 'FIELD_INVALID', remedy: 'Correct the value; docs/policy-reference.md describes it.' },
} as const satisfies Record<Problem['kind'], { code: string; remedy: string }>

function findingOf({ kind, path, message }: Problem, place: Place | undefined): Finding {
  // What an unknown key is called stands in the message.
  const shownPath = kind === 'unknown' ? path.slice(0, -1) : path
  const shownMessage = kind === 'unknown' ? message.replace(`"${path.join('.')}"`, `"${String(path.at(-1))}"`) : message
  return {
    ...kinds[kind],
    severity: 'error',
    path: printable(shownPath.join('.')),
    place,
    message: printable(shownMessage),
  }
}

/** What somebody put into a file must not steer the terminal of who checks it. */
// oxlint-disable-next-line no-control-regex
const printable = (text: string): string => text.replaceAll(/[\u0000-\u001F\u007F-\u009F]/g, '\uFFFD')
