import { needlessKinds, needlessRules } from '../src/policy/analysis/needless-rules.ts'
import { analysed, momentOf } from './analysis-source.ts'
import { counted, type Result } from './print.ts'
import type { ReportOptions } from './report-traffic.ts'

export async function reportRules(options: ReportOptions): Promise<Result> {
  const { tables, rows } = await analysed(options)
  const found = needlessRules(tables, rows, { moment: momentOf(options.at), variant: 'intended' })
  return {
    value: found,
    rows: found.map(({ id, object, kind, owner }) => ({
      id,
      is: `${kind} ${object}`,
      owner,
      because: needlessKinds[kind],
    })),
    sentence:
      found.length === 0
        ? 'Every rule opens something, and every conduit is used by a rule.'
        : `${counted(found.length, 'rule or conduit', 'rules and conduits')} could go without anybody's losing anything.`,
  }
}
