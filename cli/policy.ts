import { Command } from 'commander'
import { action, collect } from './action.ts'
import type { DiffOptions } from './policy-diff.ts'
import type { GlobalOptions } from './context.ts'
import type { ExplainOptions } from './policy-explain.ts'
import { policyKeyCommand } from './policy-key.ts'
import type { ChangeOptions, listPolicies, showPolicy } from './policy-live.ts'
import type { SignOptions } from './policy-sign.ts'
import type { TestOptions } from './policy-test.ts'
import type { ValidateOptions } from './policy-validate.ts'
import type { Result } from './print.ts'

/** Zones as code: checked, tested and explained from a file, with or without a server. */
export function policyCommand(): Command {
  const policy = new Command('policy')

  policy
    .command('validate')
    .argument('<file>', 'policy file, YAML or JSON (- for standard input)')
    .description('find what is wrong, dead, too wide or past in a policy file')
    .option('--strict', 'warnings count: exit code 2', false)
    .option('--entries <file>', 'registered identities: a file of `entry apply`, or `entry list --output json`')
    .addHelpText(
      'after',
      `
Exit codes: 0 in order, 1 errors, 2 warnings with --strict.

Examples:
  sallyport policy validate policy.yaml
  sallyport policy validate policy.yaml --entries entries.yaml
  sallyport policy validate policy.yaml --strict --output json`,
    )
    .action(
      action(async (options: ValidateOptions, file: string) =>
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
    .command('diff')
    .argument('<before>', 'live, a revision, or a policy file')
    .argument('<after>', 'live, a revision, or a policy file')
    .description('say who gains or loses what between two policies')
    .option('--traffic <span>', 'with the requests that were seen in this span, such as 30d')
    .option('--no-new-access', 'end with 1 when anybody gains anything')
    .option('--entries <file>', 'registered identities: a file of `entry apply`, or `entry list --output json`')
    .option('--decisions <file>', 'a log of decisions instead of the counters of the server')
    .addHelpText(
      'after',
      `
changed: on other terms, such as another window, validity or condition about the request.
Exit codes: 0 done, 1 new access with --no-new-access.

Examples:
  sallyport policy diff live policy.yaml --traffic 30d
  sallyport policy diff 11 12
  sallyport policy diff old.yaml new.yaml --entries entries.yaml --no-new-access`,
    )
    .action(
      action(async (options: DiffOptions, before: string, after: string) =>
        (await import('./policy-diff.ts')).diffPolicy(options, before, after),
      ),
    )

  withChange(policy.command('apply').argument('<file>', 'policy file (- for standard input)'))
    .description('make a policy file the policy of the server')
    .addHelpText(
      'after',
      `
What would be lost (every right of a zone in use, the way by which you came, all that an identity is told because it is too long) is
shown, and applied only with --accept-loss.

Examples:
  sallyport policy apply policy.yaml --dry-run
  sallyport policy apply policy.yaml --base 12 --note "TICKET-7: partner settlement"`,
    )
    .action(
      action(async (options: ChangeOptions, file: string) =>
        (await import('./policy-live.ts')).applyPolicy(options, file),
      ),
    )

  withChange(policy.command('rollback').argument('[revision]', 'revision to go back to (default: the one before)'))
    .description('apply an earlier revision again, as a new one')
    .addHelpText(
      'after',
      '\nExamples:\n  sallyport policy rollback\n  sallyport policy rollback 11 --note "breaks checkout"',
    )
    .action(
      action(async (options: ChangeOptions, revision?: string) =>
        (await import('./policy-live.ts')).rollbackPolicy(options, revision),
      ),
    )

  policy
    .command('list')
    .description('list the revisions of the policy, newest first')
    .option('--limit <count>', 'at most so many', '20')
    .addHelpText('after', '\nExample:\n  sallyport policy list')
    .action(action(async (options: ListOptions) => (await import('./policy-live.ts')).listPolicies(options)))

  policy
    .command('show')
    .argument('[revision]', 'revision (default: the current one)')
    .description('show a revision as it was applied')
    .option('--pending', 'the one that waits for a second signature', false)
    .addHelpText(
      'after',
      '\nExamples:\n  sallyport policy show > policy.yaml\n  sallyport policy show 11 --output json',
    )
    .action(
      action(async (options: ShowOptions, revision?: string) =>
        (await import('./policy-live.ts')).showPolicy(options, revision),
      ),
    )

  policy
    .command('sign')
    .argument('<file>', 'the policy file, as you have read it (- for standard input)')
    .description('sign a policy as the second person, with a key that the server does not have')
    .requiredOption('--key <file>', 'an Ed25519 private key in PEM; its public half is in policy.secondSigners')
    .option('--submit', 'also give the signature to the server', false)
    .addHelpText(
      'after',
      `
A policy that touches a zone of target 4 waits for it. The signature is over the digest of this file, whatever the server says.

Examples:
  openssl genpkey -algorithm ed25519 -out second.pem && openssl pkey -in second.pem -pubout -out second.pub.pem
  sallyport policy sign policy.yaml --key second.pem > signature.json
  sallyport policy sign policy.yaml --key second.pem --submit --server-address sallyport.internal:8081`,
    )
    .action(
      action(async (options: SignOptions, file: string) =>
        (await import('./policy-sign.ts')).signPolicy(options, file),
      ),
    )

  policy
    .command('submit')
    .argument('<file>', 'what `policy sign` printed (- for standard input)')
    .description('give a second signature to the server: the policy that waits for it is applied')
    .addHelpText('after', '\nExample:\n  sallyport policy submit signature.json')
    .action(
      action(async (options: GlobalOptions, file: string) =>
        (await import('./policy-sign.ts')).submitSignature(options, file),
      ),
    )

  policy.addCommand(policyKeyCommand())

  policy
    .command('schema')
    .description('print the JSON Schema of policy files, for editors')
    .addHelpText('after', '\nExample:\n  sallyport policy schema > policy.schema.json')
    .action(action(schema))
  return policy
}

function withChange(command: Command): Command {
  return command
    .option('--dry-run', 'only show what would be done', false)
    .option('--accept-loss', 'apply it although something that works now would not', false)
    .option('--base <revision>', 'the revision that the change was made from; refused when another is current')
    .option('--note <text>', 'why, for the journal')
}

type ListOptions = Parameters<typeof listPolicies>[0]
type ShowOptions = Parameters<typeof showPolicy>[0]

async function schema(): Promise<Result> {
  const { policyJsonSchema } = await import('../src/policy-file/policy-schema.ts')
  const value = policyJsonSchema()
  return { value, sentence: JSON.stringify(value, undefined, 2) }
}
