import type { Decision } from './decision.ts'
import type { Explanation, Place } from './explain.ts'
import { printSubjects } from './near-misses.ts'
import type { Guard, Predicate } from './policy-set.ts'
import type { Candidate, Outcome } from './record.ts'

/** So many candidates of one gate are printed; the others are counted. */
const PRINTED_CANDIDATES = 20

/**
 * An explanation as text, a line for each stage and candidate.
 *
 * @param revision of the policy, where it is known
 * @see zones.md §3.17
 */
export function printExplanation(explanation: Explanation, revision?: number): string {
  const { decision, policy, source, destination, fix } = explanation
  const { deniedBy, code } = decision
  const reason = [code, closerOf(decision)].filter((part) => part !== null).join(' ')
  const verdict = [decision.decision.toUpperCase(), deniedBy ?? '', reason].filter((part) => part !== '')
  const wouldDeny = decision.wouldDeny ? '  (observe: would deny)' : ''
  return [
    `${verdict.join('  ')}${wouldDeny}        policy ${policy}${revision === undefined ? '' : ` r${revision}`}`,
    `  src  ${decision.src.id ?? 'nobody'}${printPlace(source)}`,
    `  dst  ${decision.dst.service}  ${destination === null ? 'no such service' : `${destination.id}${printPlace(destination)}`}`,
    ...stageLines(explanation),
    ...(fix === null ? [] : [`  fix: ${fix}`]),
    '',
  ].join('\n')
}

const closerOf = ({ deniedBy, gates }: Decision): string | null =>
  (deniedBy === 'movement' ? gates.movement.by?.id : deniedBy === 'access' ? gates.access.by?.id : null) ?? null

function printPlace(place: Place | null): string {
  if (place === null) return ''
  const zone = place.zones.length === 0 ? 'no zone' : `zone ${place.zones.join(', ')}`
  const via = place.via === '' ? '' : ` (${place.via})`
  const target = place.target === null ? '' : `   target ${place.target} ${place.sensitivity}`
  return `   ${zone}${via}${target}${place.crownJewel ? ' crown jewel' : ''}`
}

function stageLines(explanation: Explanation): string[] {
  const { deniedBy, code } = explanation.decision
  if (deniedBy === 'identity') return [line('0 identity', 'DENY', code ?? '')]
  const identity = line('0 identity', 'ok', validityOf(explanation))
  if (deniedBy === 'lifecycle') return [identity, line('1 lifecycle', 'DENY', code ?? '')]
  return [
    identity,
    line('1 lifecycle', 'ok', ''),
    ...gateLines(explanation, 'movement', '2 movement'),
    ...gateLines(explanation, 'access', '3 access'),
  ]
}

const line = (stage: string, result: string, text: string): string =>
  `  ${stage.padEnd(12)} ${result.padEnd(5)} ${text}`.trimEnd()

function validityOf({ request }: Explanation): string {
  if ('refused' in request.peer) return ''
  const minutes = Math.floor((request.peer.notAfter - request.now) / 60_000)
  return `SVID valid ${minutes < 120 ? `${minutes}m` : `${Math.floor(minutes / 60)}h`}`
}

function gateLines(explanation: Explanation, gate: 'movement' | 'access', title: string): string[] {
  const { decision, candidates, nearest } = explanation
  const { result, code, by } = decision.gates[gate]
  const word = result === 'allow' ? 'ok' : result === 'deny' ? 'DENY' : '-'
  const action = gate === 'access' && decision.action !== null ? `action ${decision.action}` : ''
  const reason =
    by === null ? (code ?? (result === 'notEvaluated' ? 'no request yet' : '')) : `${nameOf(by.kind)} ${by.id}`
  const head = line(title, word, [action, reason + detailOf(explanation, by)].filter((part) => part !== '').join('; '))
  const others = candidates.filter((candidate) => candidate.gate === gate && candidate.id !== by?.id)
  const told = others
    .slice(0, PRINTED_CANDIDATES)
    .map((candidate) => line('', '-', printCandidate(explanation, candidate)))
  const left = others.length - told.length
  return [
    head,
    ...told,
    ...(left > 0 ? [line('', '-', `and ${left} more`)] : []),
    ...(gate === 'movement' && result === 'deny' ? noConduitLine(explanation, nearest) : []),
  ]
}

function noConduitLine({ decision, candidates }: Explanation, nearest: Explanation['nearest']): string[] {
  const { src, dst } = decision
  if (src.zone === null || dst.zone === null || candidates.some(({ kind }) => kind === 'conduit')) return []
  const near = nearest.map(({ id, from }) => `${id} needs ${from.identities?.join(' or ') ?? `zone ${from.zone}`}`)
  return [
    line('', '-', `no conduit ${src.zone} -> ${dst.zone}${near.length === 0 ? '' : `   nearest: ${near.join('; ')}`}`),
  ]
}

function printCandidate({ rules, decision }: Explanation, { kind, id, party, outcome }: Candidate): string {
  const reasons = [outcomes[outcome]]
  const rule = kind === 'rule' ? rules.get(id) : undefined
  if (rule !== undefined && outcome === 'otherSubject') {
    reasons[0] = `other subject (${printSubjects(rule)})`
    if (decision.action !== null && !rule.actions.includes(decision.action)) reasons.push(outcomes.otherAction)
  }
  const asked = party === decision.caller ? ' for the caller' : ''
  return `${nameOf(kind)} ${id}${asked}: ${reasons.join(', ')}`
}

const nameOf = (kind: Candidate['kind']): string => (kind === 'breakGlass' ? 'break-glass' : kind)

const outcomes: Readonly<Record<Outcome, string>> = {
  opens: 'opens',
  closes: 'closes',
  doesNotMatch: 'does not match',
  otherPort: 'other port or protocol',
  otherSubject: 'other source',
  otherDestination: 'other destination',
  otherAction: 'other action',
  outsideWindow: 'outside its window',
  expired: 'expired, or not valid yet',
  conditionFalse: 'its condition is false',
  conditionError: 'its condition reads what is missing or of another type',
  guarded: 'not an exception of the guard',
  notForensics: 'not a forensics conduit of the quarantine',
  notAsked: 'not asked, the answer stood',
  invalid: 'breaks its template or declaration, and is ignored',
}

function detailOf({ guards }: Explanation, by: Decision['gates']['movement' | 'access']['by']): string {
  const guard = by?.kind === 'guard' ? guards.get(by.id) : undefined
  return guard === undefined ? '' : `${guard.hard ? ' (hard)' : ''}  ${printGuard(guard)}`
}

const printGuard = ({ from, to }: Guard): string =>
  `from ${printPredicate(from) || 'anywhere'} to ${printPredicate(to) || 'anywhere'}`

function printPredicate({ maxTarget, minTarget, ...others }: Predicate): string {
  return [
    ...(maxTarget === undefined ? [] : [`target<=${maxTarget}`]),
    ...(minTarget === undefined ? [] : [`target>=${minTarget}`]),
    ...Object.entries(others)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => {
        const isNot = key.startsWith('not')
        return `${isNot ? key.charAt(3).toLowerCase() + key.slice(4) : key}${isNot ? '!=' : '='}${String(value)}`
      }),
  ].join(' ')
}
