// `npm run docs`: prints the reference pages of this folder from the code. A test holds them equal.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { agentConfig } from '../agent/config.ts'
import { agentGauges, agentMetrics } from '../agent/metrics.ts'
import { evidenceRows, figureNames, type EvidenceRow } from '../cli/evidence.ts'
import { serverConfig } from '../server/config.ts'
import { serverGauges, serverMetrics } from '../server/metrics.ts'
import { systemClock } from '../src/clock.ts'
import { describeConfig } from '../src/config/describe.ts'
import { errorCodes } from '../src/errors.ts'
import type { MetricRegistry } from '../src/metrics/registry.ts'
import { processMetrics } from '../src/process/process-metrics.ts'
import { codes, type CodeRow } from '../src/policy/codes.ts'
import { conditionGrammar } from '../src/policy/condition/grammar.ts'
import { attributes } from '../src/policy/condition/syntax.ts'
import { policyJsonSchema } from '../src/policy-file/policy-schema.ts'
import { policyReferencePage } from './policy-reference.ts'

/** The printed pages by file name. */
export function printedPages(): ReadonlyMap<string, string> {
  return new Map([
    ['errors.md', errorsPage()],
    ['config.md', configPage()],
    ['evidence.md', evidencePage()],
    ['metrics.md', metricsPage()],
    ['policy-codes.md', policyCodesPage()],
    ['policy-conditions.md', policyConditionsPage()],
    ['policy-reference.md', policyReferencePage()],
    ['policy.schema.json', `${JSON.stringify(policyJsonSchema(), undefined, 2)}\n`],
  ])
}

function errorsPage(): string {
  const rows = Object.entries(errorCodes).map(
    ([code, row]) => `| \`${code}\` | ${row.grpc} | ${row.http} | ${row.means} | ${row.remedy} |`,
  )
  return `# Errors

Every refusal and failure has a code that never changes. The command line prints it before the message and the way out after it;
over gRPC it travels in the trailer \`sallyport-code\` and as \`google.rpc.ErrorInfo\`.

| code | gRPC status | HTTP | what has happened | what to do |
|---|---|---|---|---|
${rows.join('\n')}
`
}

function configPage(): string {
  const table = (schema: Parameters<typeof describeConfig>[0]): string =>
    describeConfig(schema)
      .map(
        (field) =>
          `| \`${field.path}\` | ${field.description} | ${field.required ? '**required**' : field.default === undefined ? '' : `\`${field.default}\``} |`,
      )
      .join('\n')
  return `# Configuration

YAML. Durations are written \`90s\`, \`10m\`, \`1h\`, \`7d\`; relative paths count from the folder of the file; secrets are paths of files.
All problems of a file are reported at once. An empty file plus a trust domain runs.

## server.yaml

| field | meaning | default |
|---|---|---|
${table(serverConfig)}

## agent.yaml

| field | meaning | default |
|---|---|---|
${table(agentConfig)}
`
}

function metricsPage(): string {
  // Gauges read their parts only when somebody asks for values.
  const unread = { witSvids: {} } as never
  const sections = {
    Server(metrics: MetricRegistry) {
      serverMetrics(metrics)
      serverGauges(metrics, unread)
    },
    Agent(metrics: MetricRegistry) {
      agentMetrics(metrics)
      agentGauges(metrics, unread)
    },
  }
  const pages = Object.entries(sections).map(([title, declare]) => {
    const metrics = processMetrics(systemClock)
    declare(metrics)
    const rows = metrics.describe().map(({ name, type, help }) => `| \`${name}\` | ${type} | ${help} |`)
    return `## ${title}\n\n| metric | type | meaning |\n|---|---|---|\n${rows.join('\n')}\n`
  })
  return `# Metrics

What \`/metrics\` answers where \`metrics.listen\` is set, in the text format of Prometheus. A counter or histogram with labels appears with its first event.

${pages.join('\n')}`
}

function evidencePage(): string {
  const standards = Map.groupBy(evidenceRows, ({ standard }) => standard)
  const table = (rows: readonly EvidenceRow[]): string =>
    rows
      .map(({ id, demand, answer, commands }) => {
        const shown = commands.map((command) => `\`sallyport ${command}\``).join(', ')
        return `| ${id} | ${demand} | ${answer} | ${shown} |`
      })
      .join('\n')
  const sections = [...standards].map(
    ([standard, rows]) => `## ${standard}

| | demand | how it is met | evidence |
|---|---|---|---|
${table(rows)}`,
  )
  return `# Evidence

What standards ask for, how it is met, and the command that shows it. \`sallyport report evidence\` prints the same rows with figures of now:

${Object.entries(figureNames)
  .map(([name, means]) => `- \`${name}\`: ${means}`)
  .join('\n')}

The demands are named in short; the standards have the words. A mapping is no certificate: it says where to look.

${sections.join('\n\n')}
`
}

function policyCodesPage(): string {
  const rows = Object.entries(codes).map(([code, { stage, alsoIn, precedence, means, remedy }]: [string, CodeRow]) => {
    const stages = alsoIn === undefined ? stage : `${stage}, ${alsoIn}`
    return `| \`${code}\` | ${stages} | ${precedence} | ${means} | ${remedy} |`
  })
  return `# Policy codes

Why a request was refused, or would have been. Codes never change. Where a stage finds several reasons, it tells the one with the
lowest precedence; stages are asked in the order identity, lifecycle, movement, access.

| code | stage | precedence | what has happened | what to do |
|---|---|---|---|---|
${rows.join('\n')}
`
}

function policyConditionsPage(): string {
  const rows = Object.entries(attributes).map(([name, type]) => `| \`${name}\` | ${type} |`)
  return `# Conditions of rules and guards

\`when\` holds an expression without loops, patterns or conversions. What is missing, or compared with another type, is an error where
it is reached: then an allow rule does not match, and a deny rule or guard does. \`&&\` and \`||\` are read from the left and stop
early, so \`src.labels has "env" && src.labels["env"] == "prod"\` has no error.

| attribute | type |
|---|---|
${rows.join('\n')}

\`\`\`ebnf
${conditionGrammar}\`\`\`
`
}

if (import.meta.main) {
  for (const [name, text] of printedPages()) writeFileSync(join(import.meta.dirname, name), text)
}
