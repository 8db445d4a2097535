import { differing, differsBeyond } from '../policy/policy-difference.ts'
import type { Conduit, PolicySet, Rule } from '../policy/policy-set.ts'
import type { SliceDocument } from '../policy/signed-documents.ts'

/** What of an open connection says whether a change may concern it. */
export interface Concerned {
  /** SPIFFE ID of the peer. */
  readonly peerId: string
  /** Zone of the peer when it was last asked about; null: none, or more than one. */
  readonly zone: string | null
  /** The connection is decided by both gates: bytes are all there is on it, or a request made a stream of it. */
  readonly isStream: boolean
}

/** Whether the difference of two slices may decide a connection otherwise. */
export type SliceChange = (connection: Concerned) => boolean

const everything: SliceChange = () => true
const nothing: SliceChange = () => false

/** What of a policy never decides. */
const MUTE: readonly (keyof PolicySet)[] = ['name', 'owner', 'tests', 'invariants']
/** What is compared item by item; a difference anywhere else may concern everybody. */
const BY_ITEM: readonly (keyof PolicySet)[] = ['conduits', 'rules']

/**
 * Which connections of a service a new slice may concern (§3.13). When in doubt, all: a connection that is looked at in vain costs
 * microseconds, one that is not looked at stays open.
 *
 * @param service what the policy calls the service that they go to
 */
export function sliceChange(
  before: SliceDocument | undefined,
  after: SliceDocument | undefined,
  service: string,
): SliceChange {
  if (before === undefined || after === undefined) return before === after ? nothing : everything
  if (before.digest === after.digest) return nothing
  if (before.trustDomain !== after.trustDomain || differsBeyond([...MUTE, ...BY_ITEM], before.policy, after.policy))
    return everything
  const ids = new Set(differing(before.members, after.members, ({ spiffeId }) => spiffeId).map((row) => row.spiffeId))
  if (destinationsOf(after, service).some((id) => ids.has(id))) return everything
  const conduits = differing(before.policy.conduits, after.policy.conduits, ({ id }) => id)
  const zones = new Set(conduits.map(({ from }: Conduit) => from.zone))
  let found: Subjects | undefined
  // There may be many rules, and connections of HTTP are not decided by them.
  const subjects = (): Subjects =>
    (found ??= subjectsOf(
      differing(before.policy.rules, after.policy.rules, ({ id }) => id),
      after.trustDomain,
    ))
  return ({ peerId, zone, isStream }) =>
    ids.has(peerId) || (zone !== null && zones.has(zone)) || (isStream && isNamed(subjects(), peerId, zone))
}

const destinationsOf = ({ policy, trustDomain }: SliceDocument, service: string): string[] =>
  policy.services.filter(({ id }) => id === service).map(({ identity }) => `spiffe://${trustDomain}${identity}`)

interface Subjects {
  readonly ids: ReadonlySet<string>
  readonly zones: ReadonlySet<string>
  readonly isAnybody: boolean
}

const isNamed = ({ ids, zones, isAnybody }: Subjects, peerId: string, zone: string | null): boolean =>
  isAnybody || ids.has(peerId) || (zone !== null && zones.has(zone))

function subjectsOf(rules: readonly Rule[], trustDomain: string): Subjects {
  const subjects = rules.flatMap(({ from }) => from)
  const patterns = subjects.flatMap((subject) => ('pattern' in subject ? [subject.pattern] : []))
  return {
    ids: new Set(patterns.map((pattern) => (pattern.startsWith('/') ? `spiffe://${trustDomain}${pattern}` : pattern))),
    zones: new Set(subjects.flatMap((subject) => ('zone' in subject ? [subject.zone] : []))),
    isAnybody: patterns.some((pattern) => pattern.includes('*')),
  }
}
