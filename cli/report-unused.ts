import { unusedObjects, type Unused } from '../src/policy/analysis/unused.ts'
import type { PolicySet, Subject } from '../src/policy/policy-set.ts'
import { policiesService } from '../src/wire/messages/sallyport-server-v1.ts'
import { analysed } from './analysis-source.ts'
import { withServer } from './connect.ts'
import { observedTraffic, spanMs } from './decision-source.ts'
import { usablePolicy } from './policy-validate.ts'
import { counted, printInstant, type Result, type Row } from './print.ts'
import type { ReportOptions } from './report-traffic.ts'

export async function reportUnused(options: ReportOptions): Promise<Result> {
  const source = await analysed(options)
  const observations = await observedTraffic(options)
  const { found, young } = unusedObjects(source.tables, observations, await baseOf(options))
  const since = options.since ?? 'ever'
  return {
    value: { since, found: found.map(valueOf), young },
    rows: found.map(rowOf),
    sentence: `${counted(found.length, 'conduit or rule', 'conduits and rules')} not used, or not used whole, in ${since}.`,
    warnings: young.length === 0 ? [] : [`younger than ${since} and not judged: ${young.join(', ')}`],
  }
}

/** The policy as it was when the span begins: a file, or the revision that the server held then. */
async function baseOf(options: ReportOptions): Promise<Base | undefined> {
  if (options.base !== undefined) return (await usablePolicy(options.base)).set
  if (options.policy !== undefined || options.since === undefined) return undefined
  const begin = Date.now() - spanMs(options.since)
  return withServer(options, async (transport) => {
    const policies = transport.client(policiesService)
    for (let beforeRevision = 0; ;) {
      const { revisions } = await policies.list({ limit: 100, beforeRevision })
      const held = revisions.find(({ appliedAtMs }) => appliedAtMs <= begin)
      if (held !== undefined) return JSON.parse((await policies.get({ revision: held.revision })).policy) as Base
      const last = revisions.at(-1)
      if (last === undefined || last.revision <= 1) return EMPTY
      beforeRevision = last.revision
    }
  })
}

type Base = Pick<PolicySet, 'conduits' | 'rules'>

/** Nothing was there yet: everything is too young. */
const EMPTY: Base = { conduits: [], rules: [] }

export const printSubject = (subject: Subject): string => ('zone' in subject ? `zone ${subject.zone}` : subject.pattern)

const valueOf = ({ use, enough, ...unused }: Unused) => ({
  ...unused,
  requests: use.count,
  days: use.days,
  lastUsed: use.lastMs === 0 ? null : new Date(use.lastMs).toISOString(),
  enough: enough ?? null,
})

const rowOf = ({ kind, id, owner, status, use, enough }: Unused): Row => ({
  id,
  kind,
  owner,
  status,
  'last used': use.lastMs === 0 ? 'never' : printInstant(new Date(use.lastMs), new Date()),
  enough:
    enough === undefined
      ? ''
      : `from [${enough.from.map(printSubject).join(', ')}] actions [${enough.actions.join(', ')}]`,
})
