import { Command, Option } from 'commander'
import { action } from './action.ts'
import type { GlobalOptions } from './context.ts'
import type { FilterOptions, TailOptions } from './decision-lists.ts'

/** What enforcement points have decided, as agents have told the server. */
export function decisionsCommand(): Command {
  const decisions = new Command('decisions')
  withFilters(decisions.command('tail'))
    .description('show the newest decisions, newest last; with --follow also those to come')
    .option('-f, --follow', 'go on until Ctrl-C', false)
    .option('-n, --limit <count>', 'so many of those that are there', '20')
    .addHelpText(
      'after',
      `
Refusals are recorded in full, and of what was allowed the first of its kind in each minute; the rest is counted.

Examples:
  sallyport decisions tail --denied-by movement --follow
  sallyport decisions tail --would-deny --to-zone legacy --output json`,
    )
    .action(action(async (options: TailOptions) => (await import('./decision-lists.ts')).tailDecisions(options)))
  withFilters(decisions.command('list'))
    .description('list decisions, newest first')
    .option('-n, --limit <count>', 'at most so many', '100')
    .addHelpText('after', '\nExample:\n  sallyport decisions list --from /ns/web/sa/storefront --since 1h')
    .action(
      action(async (options: FilterOptions & { readonly limit: string }) =>
        (await import('./decision-lists.ts')).listDecisions(options),
      ),
    )
  decisions
    .command('show')
    .argument('<id>', 'such as a refused caller is told in x-sallyport-decision')
    .description('show one decision whole, and the command that explains it')
    .addHelpText('after', '\nExample:\n  sallyport decisions show 01JD4Z8Q6T3M8N0W7K2V5C9XRA')
    .action(
      action(async (options: GlobalOptions, id: string) =>
        (await import('./decision-show.ts')).showDecision(options, id),
      ),
    )
  withFilters(decisions.command('count'))
    .description('count decisions by who asked for what, and what let it pass')
    .addHelpText('after', '\nExample:\n  sallyport decisions count --to orders --since 7d')
    .action(action(async (options: FilterOptions) => (await import('./decision-lists.ts')).countDecisions(options)))
  return decisions
}

function withFilters(command: Command): Command {
  return command
    .addOption(new Option('--decision <decision>', 'only these').choices(['allow', 'deny']))
    .option('--would-deny', 'only what a zone that enforces would have refused', false)
    .addOption(
      new Option('--denied-by <stage>', 'only refusals of this stage').choices([
        'identity',
        'lifecycle',
        'movement',
        'access',
      ]),
    )
    .option('--code <code>', 'only refusals with this code, such as NO_CONDUIT')
    .option('--from <id>', 'only of this source, a SPIFFE ID or its path in the own trust domain')
    .option('--from-zone <zone>', 'only of sources in this zone')
    .option('--to <service>', 'only about this service')
    .option('--to-zone <zone>', 'only about services in this zone')
    .option('--agent <spiffe id>', 'only as told by this agent')
    .option('--since <instant>', 'only from then on: 2027-01-31T00:00:00Z, or 15m ago')
    .option('--until <instant>', 'only until then')
}
