import { Command } from 'commander'
import { action } from './action.ts'
import { withMoment, withSources } from './analysis-source.ts'
import { withDecisions, withSince } from './decision-source.ts'
import type { ReportOptions } from './report-traffic.ts'

/** What is known of an installation that somebody should look at. */
export function reportCommand(): Command {
  const report = new Command('report')

  withSince(withSources(report.command('unused')), '90d')
    .description('conduits and rules that nobody used, and rules that nobody used whole')
    .option('--base <file>', 'the policy as it was when the traffic begins: what it lacks is too young to be judged')
    .addHelpText(
      'after',
      `
Left out: drafts, deny rules and what is tagged \`use: rare\`.

Examples:
  sallyport report unused --since 30d
  sallyport report unused --policy policy.yaml --decisions decisions.ndjson --since 30d`,
    )
    .action(action(async (options: ReportOptions) => (await import('./report-unused.ts')).reportUnused(options)))

  withSince(withSources(report.command('standing')), '90d')
    .description('rights that stand although they are used on few days: they could be grants')
    .option('--days <count>', 'used on fewer days than this', '10')
    .addHelpText('after', '\nExample:\n  sallyport report standing --days 5')
    .action(action(async (options: ReportOptions) => (await import('./report-privilege.ts')).reportStanding(options)))

  withSince(withSources(report.command('overprivilege')), '90d')
    .description('how much more identities may do than they do, the widest first')
    .addHelpText(
      'after',
      `
excess: the unused rights, each by 2 to the power of the target of its zone, twice for administration.

Example:
  sallyport report overprivilege --since 30d --output json`,
    )
    .action(
      action(async (options: ReportOptions) => (await import('./report-privilege.ts')).reportOverprivilege(options)),
    )

  withSince(withSources(report.command('stale')), '30d')
    .description('identities that are there and not used, or used and not there')
    .option('--issued', 'also ask the journal who got no X509-SVID, which takes long on a busy server', false)
    .addHelpText(
      'after',
      `
stale: no SVID; idle: no decision at either end; orphan: no owner; unplaced, ambiguous: not in one zone;
ghost: named by the policy, not registered; shadow: seen in traffic, in no zone.

Example:
  sallyport report stale --since 30d --issued`,
    )
    .action(action(async (options: ReportOptions) => (await import('./report-stale.ts')).reportStale(options)))

  withMoment(withSources(report.command('rules')))
    .description('rules that open nothing, that others make needless, and conduits that no rule uses')
    .addHelpText('after', '\nExample:\n  sallyport report rules --policy policy.yaml')
    .action(action(async (options: ReportOptions) => (await import('./report-rules.ts')).reportRules(options)))

  withMoment(withSince(withSources(report.command('evidence')), '90d'))
    .description(
      'what NIST SP 800-207, CSF and the OWASP NHI Top 10 ask for, the commands that show it, and figures of now',
    )
    .addHelpText('after', '\nExample:\n  sallyport report evidence --output json > evidence.json')
    .action(action(async (options: ReportOptions) => (await import('./report-evidence.ts')).reportEvidence(options)))

  withDecisions(report.command('traffic'))
    .description('what was decided, one exact counter a line: what --decisions of other commands reads')
    .option('--since <span>', 'only traffic of this span, such as 14d')
    .addHelpText('after', '\nExample:\n  sallyport report traffic --since 90d > decisions.ndjson')
    .action(action(async (options: ReportOptions) => (await import('./report-traffic.ts')).reportTraffic(options)))
  return report
}
