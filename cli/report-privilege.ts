import { privileges, zonePrivileges, type Privilege } from '../src/policy/analysis/privilege.ts'
import { standingRules } from '../src/policy/analysis/standing.ts'
import { analysed, momentOf, wholeNumber } from './analysis-source.ts'
import { observedTraffic } from './decision-source.ts'
import { sourcesText } from './policy-diff.ts'
import { counted, type Result, type Row } from './print.ts'
import type { ReportOptions } from './report-traffic.ts'
import { printSubject } from './report-unused.ts'

export async function reportStanding(options: ReportOptions): Promise<Result> {
  const { tables, rows } = await analysed(options)
  const traffic = await observedTraffic(options)
  const days = wholeNumber(options.days ?? '10', '--days')
  const found = standingRules(tables, traffic, days)
  const zones = zonePrivileges(privileges(tables, rows, traffic, { moment: momentOf(options.at), variant: 'intended' }))
  return {
    value: {
      rules: found.map(({ rule, use, target, isAdministration }) => ({
        ...{ id: rule.id, owner: rule.owner, from: rule.from, to: rule.to, actions: rule.actions },
        ...{ days: use.days, requests: use.count, target, administration: isAdministration },
      })),
      zones,
    },
    rows: found.map(({ rule, use, target, isAdministration }): Row => ({
      rule: rule.id,
      owner: rule.owner,
      from: rule.from.map(printSubject).join(', '),
      to: rule.to,
      actions: `${rule.actions.join(', ')}${isAdministration ? ' (administration)' : ''}`,
      target,
      'days used': use.days,
    })),
    sentence: [
      `${counted(found.length, 'rule')} used on fewer than ${days} days: each could be a grant template.`,
      ...zones.map(({ zone, standingPercent }) => `  zone ${zone || '-'}: ${standingPercent} % of all rights stand`),
    ].join('\n'),
  }
}

export async function reportOverprivilege(options: ReportOptions): Promise<Result> {
  const { tables, rows } = await analysed(options)
  const reach = { moment: momentOf(options.at), variant: 'intended' } as const
  const found = privileges(tables, rows, await observedTraffic(options), reach)
  const zones = zonePrivileges(found)
  return {
    value: { classes: found.map(valueOf), zones },
    rows: found.filter(({ excess }) => excess > 0).map(rowOf),
    sentence: zones
      .map(
        ({ zone, identities, meanExcess }) =>
          `zone ${zone || '-'}: ${counted(identities, 'identity', 'identities')}, excess ${meanExcess} on average`,
      )
      .join('\n'),
  }
}

const cellText = ({ service, action }: { readonly service: string; readonly action: string }): string =>
  `${service}.${action}`

const valueOf = ({ granted, unused, ...privilege }: Privilege) => ({
  ...privilege,
  granted: granted.map(cellText),
  unused: unused.map(cellText),
})

const rowOf = ({ ids, zone, granted, unused, excess, excessPercent }: Privilege): Row => ({
  identity: sourcesText(ids),
  zone: zone ?? '-',
  excess,
  percent: `${excessPercent} %`,
  unused: `${unused.length} of ${granted.length}: ${unused.slice(0, 5).map(cellText).join(', ')}${unused.length > 5 ? ', …' : ''}`,
})
