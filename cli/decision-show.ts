import { SallyportError } from '../src/errors.ts'
import { decisionsService, type StoredDecision } from '../src/wire/messages/sallyport-server-v1.ts'
import { withServer } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { askedOf, codeRowOf, explainCommandOf, recordOf, verdictOf, type DecisionRecord } from './decision-record.ts'
import { printable, type Result } from './print.ts'

export async function showDecision(options: GlobalOptions, id: string): Promise<Result> {
  return withServer(options, async (transport) => {
    try {
      return shownDecision(await transport.client(decisionsService).get({ id }))
    } catch (error) {
      if (!(error instanceof SallyportError) || error.code !== 'ITEM_NOT_FOUND') throw error
      throw new SallyportError('ITEM_NOT_FOUND', error.message, {
        cause: error,
        hint: 'Agents tell refusals within a second, and only the first of what is allowed in each minute. `sallyport decisions tail` shows what has arrived.',
      })
    }
  })
}

/** One decision whole, as a person reads it. */
export function shownDecision(stored: StoredDecision): Result {
  const record = recordOf(stored)
  const explain = explainCommandOf(record)
  const { policy, src, dst, pep, ts } = record
  const lines = [
    `${verdictOf(record)}        policy ${policy.name} r${policy.revision}`,
    ...field('id', record.id),
    ...field('at', `${ts}${record.reeval === null ? '' : `, on an open connection: ${record.reeval}`}`),
    ...field('src', `${src.id ?? 'nobody'}   zone ${src.zone ?? 'none'}${fromOf(record)}`),
    ...field('svid', src.svid === null ? '' : `serial ${src.svid.serial}, until ${src.svid.notAfter ?? 'ever'}`),
    ...field('dst', `${dst.service}  ${dst.id ?? ''}   zone ${dst.zone ?? 'none'}   port ${dst.port}`),
    ...field('asked', askedOf(record)),
    ...field('caller', record.caller ?? ''),
    ...field('movement', gateOf(record, 'movement')),
    ...field('access', gateOf(record, 'access')),
    ...field('told by', `the ${pep.side} side of ${pep.service}, through ${stored.agent}`),
    ...adviceOf(record),
    ...(explain === undefined ? [] : ['', 'Explain it by the policy of now:', `  ${explain}`]),
  ]
  const value = { ...record, agent: stored.agent, explain: explain ?? null }
  // Line by line: a text of a workload must not make lines of its own.
  return { value, sentence: lines.map(printable).join('\n') }
}

const field = (name: string, text: string): string[] => (text === '' ? [] : [`  ${name.padEnd(9)} ${text}`])

const fromOf = ({ src: { ip, port } }: DecisionRecord): string =>
  ip === null ? '' : `   from ${ip}${port === null ? '' : `:${port}`}`

function gateOf({ gates }: DecisionRecord, gate: 'movement' | 'access'): string {
  const { result, code, by } = gates[gate]
  if (result === 'notEvaluated') return 'not asked'
  const action = gate === 'access' && gates.access.action !== null ? `action ${gates.access.action}` : ''
  const opener = by === null ? (code ?? '') : `${by.kind === 'breakGlass' ? 'break-glass' : by.kind} ${by.id}`
  return [result === 'deny' ? 'DENY' : 'ok', action, opener].filter((part) => part !== '').join('  ')
}

function adviceOf(record: DecisionRecord): string[] {
  const row = codeRowOf(record)
  return row === undefined ? [] : ['', row.means, `→ ${row.remedy}`]
}
