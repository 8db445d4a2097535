import { Command } from 'commander'
import { action, collect } from './action.ts'
import { createEntry, deleteEntries, updateEntry } from './entry-change.ts'
import { applyEntries } from './entry-file.ts'
import { countEntries, listEntries, showEntry } from './entry-list.ts'

export function entryCommand(): Command {
  const entry = new Command('entry')

  withFields(entry.command('create'))
    .description('register a workload')
    .requiredOption('--spiffe-id <id>', 'the identity to give')
    .requiredOption('--parent <id>', 'the node: an agent id, or an alias given with `token create`')
    .option('--id <entry id>', 'an id of your own for the entry')
    .addHelpText(
      'after',
      `
Example:
  sallyport entry create --spiffe-id spiffe://example.org/ns/web/sa/storefront \\
      --parent spiffe://example.org/node/web-1 --selector unix:uid:1000 --dns storefront.internal --x509-ttl 10m`,
    )
    .action(action(createEntry))

  withFields(entry.command('update').argument('<entry id>'))
    .description('change the fields that are named, and no others')
    .option('--spiffe-id <id>', 'the identity to give')
    .option('--parent <id>', 'the node')
    .option('--no-admin', 'take the admin right away')
    .option('--no-downstream', 'take the downstream right away')
    .option('--remove-label <name>', 'a label to take away; repeat for more', collect)
    .addHelpText(
      'after',
      `
All entries of an identity have the same labels, so that a change of labels changes all of them.

Examples:
  sallyport entry update 0b21… --x509-ttl 30m
  sallyport entry update 0b21… --label env=prod --remove-label canary`,
    )
    .action(action(updateEntry))

  withFilters(entry.command('list'))
    .description('list entries')
    .addHelpText('after', '\nExample:\n  sallyport entry list --selector unix:uid:1000')
    .action(action(listEntries))
  withFilters(entry.command('count'))
    .description('count entries')
    .addHelpText('after', '\nExample:\n  sallyport entry count --parent spiffe://example.org/node/web-1')
    .action(action(countEntries))
  entry
    .command('show')
    .argument('<entry id>')
    .description('show one entry whole')
    .addHelpText('after', '\nExample:\n  sallyport entry show 6f0b9c1e-3a52-4c7d-9a40-2d1f5f0f8a11')
    .action(action(showEntry))
  entry
    .command('delete')
    .argument('<entry id...>')
    .description('remove entries; their SVIDs end within moments on connected nodes')
    .addHelpText('after', '\nExample:\n  sallyport entry delete 6f0b9c1e-3a52-4c7d-9a40-2d1f5f0f8a11')
    .action(action(deleteEntries))

  entry
    .command('apply')
    .description('make the registered entries equal to a file')
    .requiredOption('-f, --file <path>', 'YAML or JSON with a list `entries` (- for standard input)')
    .option('--prune', 'also delete entries that the file does not name (never the names of nodes)', false)
    .option('--dry-run', 'only show what would be done', false)
    .addHelpText(
      'after',
      `
Example file:
  entries:
    - spiffeId: spiffe://example.org/ns/web/sa/storefront
      parent: spiffe://example.org/node/web-1
      selectors: [unix:uid:1000]
      x509Ttl: 10m
      labels: { env: prod }

  sallyport entry apply -f entries.yaml --prune --dry-run`,
    )
    .action(action(applyEntries))
  return entry
}

function withFields(command: Command): Command {
  return command
    .option('--selector <type:value>', 'what must be true of the process; repeat for more (all must hold)', collect)
    .option('--dns <name>', 'DNS name for the certificate; repeat for more', collect)
    .option('--x509-ttl <duration>', 'life of X509-SVIDs, such as 10m (default: the server decides)')
    .option('--jwt-ttl <duration>', 'life of JWT-SVIDs')
    .option(
      '--federates-with <trust domain>',
      'foreign trust domain whose bundle the workload gets; repeat for more',
      collect,
    )
    .option('--hint <text>', 'tells the workload which of its identities this is')
    .option('--admin', "the identity may use the server's API")
    .option('--downstream', 'the identity is a server below this one')
    .option('--expires-at <instant>', 'when the registration ends, such as 2027-01-31T00:00:00Z')
    .option('--jwt-jti', 'put a unique id into each JWT-SVID')
    .option('--no-prefetch', 'issue the X509-SVID only when it is asked for')
    .option('--label <name=value>', 'what policies may know the identity by; repeat for more', collect)
}

function withFilters(command: Command): Command {
  return command
    .option('--spiffe-id <id>', 'only entries of this identity')
    .option('--parent <id>', 'only entries below this node')
    .option('--selector <type:value>', 'only entries with these selectors; repeat for more', collect)
    .option('--match <how>', 'how selectors are compared: exact, subset, superset, any', 'superset')
    .option('--hint <text>', 'only entries with this hint')
    .option('--label <name=value>', 'only entries with this label; repeat for more', collect)
}
