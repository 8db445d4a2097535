import { checkCodes } from '../src/policy-file/check-codes.ts'
import { policyFields, type FileField } from '../src/policy-file/policy-schema.ts'
import { conditionGrammar } from '../src/policy/condition/grammar.ts'

/** The reference of policy files, printed from the schema that reads them. */
export function policyReferencePage(): string {
  const sections = Map.groupBy(policyFields(), ({ path }) => path.split(/[.[]/, 1)[0] ?? '')
  const head = [...sections].filter(([, fields]) => fields.length === 1).flatMap(([, fields]) => fields)
  const parts = [...sections].filter(([, fields]) => fields.length > 1)
  return `# Policy files

YAML 1.2 or JSON, every key once; \`policy.schema.json\` lets an editor check it. Durations are written \`90s\`, \`10m\`, \`1h30m\`;
instants carry an offset, such as \`2027-06-30T00:00:00Z\`; days are \`2027-03-01\`. Patterns are on whole segments: a literal, \`*\` for
one segment, a last \`**\` for one or more. Patterns and ids without \`spiffe://\` are those of the own trust domain.
\`sallyport policy validate FILE\` reports all problems at once, by line and column.

"In its form" means: required where an object has several forms and this is the one.

${table(head)}
${parts.map(([name, fields]) => `\n## ${name}\n\n${sentence(fields[0]?.description ?? '')}\n\n${table(fields.slice(1))}`).join('\n')}

## Conditions

\`\`\`ebnf
${conditionGrammar.trimEnd()}
\`\`\`

## What is checked

Errors keep a policy from being applied. Warnings do not: \`policy validate --strict\` ends with 2 for them, and \`policy apply\` wants
\`--accept-loss\` where it would make slices too long that were not.

| code | severity | what has been found | what to do |
|---|---|---|---|
${Object.entries(checkCodes)
  .map(([code, { severity, means, remedy }]) => `| \`${code}\` | ${severity} | ${means} | ${remedy} |`)
  .join('\n')}
`
}

/** `what can be called` → `What can be called.` */
const sentence = (text: string): string => `${text.charAt(0).toUpperCase()}${text.slice(1)}.`

const table = (fields: readonly FileField[]): string => `| field | form | meaning | default |
|---|---|---|---|
${fields.map(rowOf).join('\n')}`

const words = { yes: '**required**', form: '**required** in its form', no: '' } as const

function rowOf({ path, type, description, required, default: fallback }: FileField): string {
  return `| \`${path}\` | ${type} | ${description} | ${fallback === undefined ? words[required] : `\`${fallback}\``} |`.replaceAll(
    ' || ',
    ' \\|\\| ',
  )
}
