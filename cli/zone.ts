import { Command } from 'commander'
import { action } from './action.ts'
import { withMoment, withSources } from './analysis-source.ts'
import { withSince } from './decision-source.ts'
import type { ZoneOptions } from './zone-show.ts'

/** Zones as they are: who is in them, which level they reach, whether one may begin to enforce. */
export function zoneCommand(): Command {
  const zone = new Command('zone')

  withSources(zone.command('list'))
    .description('list zones')
    .addHelpText('after', '\nExample:\n  sallyport zone list')
    .action(action(async (options: ZoneOptions) => (await import('./zone-show.ts')).listZones(options)))

  withSources(zone.command('show').argument('<zone>'))
    .description('show a zone: its identities, services and conduits')
    .addHelpText('after', '\nExample:\n  sallyport zone show pay')
    .action(action(async (options: ZoneOptions, id: string) => (await import('./zone-show.ts')).showZone(options, id)))

  withSince(withSources(zone.command('level').argument('<zone>')), '30d')
    .description('the security level that a zone wants, could have and has (IEC 62443)')
    .addHelpText(
      'after',
      `
SL-T: \`target\` of the zone. SL-C: what this product can reach. SL-A: what is reached, as far as it is known here; a server knows
how nodes attest, who signed the policy and when a quarantine was last exercised.

Exit codes: 0 no gap, 1 some requirement is below the target.

Example:
  sallyport zone level pay`,
    )
    .action(
      action(async (options: ZoneOptions, id: string) => (await import('./zone-level.ts')).zoneLevel(options, id)),
    )

  withMoment(withSince(withSources(zone.command('promote').argument('<zone>')), '30d'))
    .description('check whether a zone that observes may begin to enforce')
    .option('--check', 'only check, which is all that this does: an operator changes the policy', false)
    .option('--observing-since <instant>', 'since when it observes (default: since its first traffic)')
    .addHelpText(
      'after',
      `
Nothing is changed: where all holds, set \`mode: enforce\` in the policy file and apply it.
Exit codes: 0 it may, 1 something is missing.

Example:
  sallyport zone promote legacy --check`,
    )
    .action(
      action(async (options: ZoneOptions, id: string) => (await import('./zone-promote.ts')).promoteZone(options, id)),
    )
  return zone
}
