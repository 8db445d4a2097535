// `npm run docs`: prints the reference pages of this folder from the code. A test holds them equal.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { agentConfig } from '../agent/config.ts'
import { serverConfig } from '../server/config.ts'
import { describeConfig } from '../src/config/describe.ts'
import { errorCodes } from '../src/errors.ts'
import { policyJsonSchema } from '../src/policy-file/policy-schema.ts'
import { policyReferencePage } from './policy-reference.ts'

/** The printed pages by file name. */
export function printedPages(): ReadonlyMap<string, string> {
  return new Map([
    ['errors.md', errorsPage()],
    ['config.md', configPage()],
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

if (import.meta.main) {
  for (const [name, text] of printedPages()) writeFileSync(join(import.meta.dirname, name), text)
}
