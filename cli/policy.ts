import { Command } from 'commander'
import { action, collect } from './action.ts'
import type { ExplainOptions } from './policy-explain.ts'
import type { TestOptions } from './policy-test.ts'
import type { Result } from './print.ts'

/** Zones as code: checked, tested and explained from a file, with or without a server. */
export function policyCommand(): Command {
  const policy = new Command('policy')

  policy
    .command('validate')
    .argument('<file>', 'policy file, YAML or JSON (- for standard input)')
    .description('find what is wrong, dead, too wide or past in a policy file')
    .option('--strict', 'warnings count: exit code 2', false)
    .addHelpText(
      'after',
      `
Exit codes: 0 in order, 1 errors, 2 warnings with --strict.

Examples:
  sallyport policy validate policy.yaml
  sallyport policy validate policy.yaml --strict --output json`,
    )
    .action(
      action(async (options: { strict: boolean }, file: string) =>
        (await import('./policy-validate.ts')).validatePolicy(options, file),
      ),
    )

  policy
    .command('test')
    .argument('<file>', 'policy file (- for standard input)')
    .description('run the tests and invariants of a policy file')
    .option('-k, --name <text>', 'only those whose name holds this text')
    .option('--coverage', 'also say which rules and conduits no test uses', false)
    .option('--base <file>', 'policy that `noNewAccess` compares with')
    .addHelpText(
      'after',
      `
Exit codes: 0 all hold, 1 something failed.

Examples:
  sallyport policy test policy.yaml --coverage
  sallyport policy test policy.yaml -k ledger
  sallyport policy test new.yaml --base old.yaml`,
    )
    .action(
      action(async (options: TestOptions, file: string) =>
        (await import('./policy-test.ts')).testPolicy(options, file),
      ),
    )

  policy
    .command('explain')
    .description('say whether a request would be allowed, and why')
    .requiredOption('--from <id>', 'SPIFFE ID of the source, or its path in the own trust domain')
    .requiredOption('--to <service>', 'the service')
    .option('--http <request>', 'an HTTP request, such as "GET /v1/orders/42"')
    .option('--rpc <method>', 'a gRPC method, such as ledger.v1.Ledger/Get')
    .option('--port <port>', 'port of the listener (default: the first that fits)')
    .option('--at <instant>', 'when, such as 2027-01-31T00:00:00Z (default: now)')
    .option('--label <name=value>', 'a label that the source is taken to have; repeat for more', collect)
    .option('--with-grant <template>', 'as if the source held a grant of this template')
    .option('--policy <file>', "a policy file instead of the server's policy (- for standard input)")
    .addHelpText(
      'after',
      `
Exit codes: 0 allow, 3 deny.

Examples:
  sallyport policy explain --from /ns/web/sa/storefront --to ledger --rpc ledger.v1.Ledger/Get
  sallyport policy explain --policy policy.yaml --from /ns/web/sa/blog --label env=prod \\
      --to orders --http "GET /v1/orders/42"
  sallyport policy explain --from /ns/ops/sa/bastion --to orders-db --with-grant oncall-orders-db`,
    )
    .action(action(async (options: ExplainOptions) => (await import('./policy-explain.ts')).explainPolicy(options)))

  policy
    .command('schema')
    .description('print the JSON Schema of policy files, for editors')
    .addHelpText('after', '\nExample:\n  sallyport policy schema > policy.schema.json')
    .action(action(schema))
  return policy
}

async function schema(): Promise<Result> {
  const { policyJsonSchema } = await import('../src/policy-file/policy-schema.ts')
  const value = policyJsonSchema()
  return { value, sentence: JSON.stringify(value, undefined, 2) }
}
