import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { PolicySet } from '../../src/policy/policy-set.ts'
import type { Deed } from '../audit/deed.ts'
import type { Directory } from '../entries/directory.ts'
import type { FastLane } from '../policy/fast-lane.ts'
import { APPLY_ONE } from '../policy/policies.ts'
import type { PolicyBook } from '../policy/policy-book.ts'
import type { Store } from '../store/store.ts'
import type { ApprovalLimits } from './approval-limits.ts'
import type { Groups } from './groups.ts'

export interface LifecycleDeps {
  readonly store: Store
  readonly directory: Directory
  readonly book: PolicyBook
  readonly fastLane: Pick<FastLane, 'change'>
  readonly groups: Groups
  readonly approvals: ApprovalLimits
  readonly clock: Clock
  readonly random: (bytes: number) => Buffer
}

/** The longest reason or ticket, in characters. */
export const REASON_MAX = 1_000

/** Who does it, as rows and the journal name people. */
export const nameOf = ({ callerId }: Deed): string => String(callerId ?? 'server')

/** Such as `q-3f9a1c20b7d4`: short enough to type, too many to guess by accident. */
export const newId = (prefix: string, { random }: Pick<LifecycleDeps, 'random'>): string =>
  `${prefix}-${random(6).toString('hex')}`

export const refused = (what: string, why: string, hint?: string): SallyportError =>
  new SallyportError('LIFECYCLE_REFUSED', `Cannot ${what}: ${why}`, hint === undefined ? {} : { hint })

/** What commands name by id, and the command that lists it. */
const lists = {
  quarantine: 'quarantine list',
  zone: 'zone list',
  'registration entry': 'entry list',
  'offboarding of': 'offboard list',
  grant: 'grant list',
  'grant template': 'policy show',
  'break-glass session': 'breakglass list',
  'break-glass declaration': 'policy show',
} as const

export const notFound = (what: keyof typeof lists, id: string): SallyportError =>
  new SallyportError('LIFECYCLE_NOT_FOUND', `There is no ${what} ${JSON.stringify(id.slice(0, 300))}`, {
    hint: `See what there is with \`sallyport ${lists[what]}\`.`,
  })

export function checkReason(what: string, reason: string): void {
  if (reason.trim() === '') throw refused(what, 'a reason is needed')
  if (reason.length > REASON_MAX) throw refused(what, `the reason is longer than ${REASON_MAX} characters`)
}

/** The policy that holds, for what hangs on it. */
export function policyFor(what: string, { book }: Pick<LifecycleDeps, 'book'>): PolicySet {
  if (book.current === undefined) throw refused(what, 'no policy is applied', APPLY_ONE)
  return book.current.row.policy
}

export const isRegistered = (spiffeId: string, { directory }: Pick<LifecycleDeps, 'directory'>): boolean =>
  directory.entriesWithSpiffeId(SpiffeId.parse(spiffeId)).length > 0

/** A registered id of the own trust domain, as text. */
export function registeredId(what: string, text: string, deps: Pick<LifecycleDeps, 'directory'>): string {
  const spiffeId = SpiffeId.parse(text).toString()
  if (isRegistered(spiffeId, deps)) return spiffeId
  throw refused(what, `${spiffeId} is not registered`)
}

/** Whoever does it belongs to those whom the policy names. */
export function checkBelongs(
  what: string,
  to: string,
  caller: string,
  { groups }: Pick<LifecycleDeps, 'groups'>,
): void {
  if (groups.has(to, caller)) return
  const hint = groups.isKnown(to) ? undefined : 'List its members in policy.groups of the server configuration.'
  throw refused(what, `${caller} is not in ${to}`, hint)
}
