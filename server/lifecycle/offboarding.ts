import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { FastLaneEvent } from '../../src/policy/fast-lane.ts'
import type { Deed } from '../audit/deed.ts'
import { lifecycleEvent } from '../audit/lifecycle-events.ts'
import type { LifecycleChange } from '../policy/fast-lane.ts'
import type { OffboardingRow } from '../store/policy-rows.ts'
import type { Mutation } from '../store/store.ts'
import { changed } from './change-row.ts'
import { checkReason, nameOf, notFound, refused, type LifecycleDeps } from './lifecycle-deps.ts'

/** An identity as such, or one of its entries. */
export type OffboardingTarget = { readonly spiffeId: string } | { readonly entryId: string }

/** How far an identity is on its way out. */
export interface Offboarded {
  readonly spiffeId: string
  /** Nothing may use it any more: it was named itself, or all of its entries were (ZO-03). */
  readonly complete: boolean
  readonly rows: readonly OffboardingRow[]
}

const DERIVED = 'all of its entries are offboarded'

/**
 * Takes an identity, or one of its entries, out of service for good: a valid SVID of it opens nothing any more (case 37).
 *
 * @throws {@link SallyportError} `LIFECYCLE_REFUSED`, `LIFECYCLE_NOT_FOUND`, `SPIFFE_ID_INVALID`
 */
export async function offboard(
  target: OffboardingTarget,
  reason: string,
  deed: Deed,
  deps: LifecycleDeps,
): Promise<Offboarded> {
  checkReason('offboard', reason)
  const { spiffeId, entryId } = placeOf(target, deps)
  await deps.fastLane.change((): LifecycleChange => {
    const standing = rowFor(deps, spiffeId, entryId)
    if (standing?.endedMs === undefined && standing !== undefined) {
      throw refused('offboard', `${entryId ?? spiffeId} is offboarded already`)
    }
    const row = standingRow(standing, { spiffeId, entryId, reason, by: nameOf(deed), at: deed.at })
    const derived = entryId === undefined ? undefined : derivedFor(deps, spiffeId, deed.at, [row])
    const isComplete = entryId === undefined || derived !== undefined
    return {
      mutations: [put(row), ...(derived?.mutations ?? [])],
      events: isComplete ? [{ kind: 'offboard', body: { spiffeId } }] : [],
      audit: [lifecycleEvent('identity.offboarded', deed, { spiffeId, entryId, reason })],
    }
  })
  return offboardedOf(spiffeId, deps)
}

/** Takes it back, with everything that stands about it when the identity as such is named. */
export async function reinstate(
  target: OffboardingTarget,
  reason: string,
  deed: Deed,
  deps: LifecycleDeps,
): Promise<Offboarded> {
  const { spiffeId, entryId } = placeOf(target, deps)
  await deps.fastLane.change((): LifecycleChange => {
    const standing = standingOf(deps, spiffeId)
    const named = entryId === undefined ? standing : standing.filter((row) => row.entryId === entryId)
    if (named.length === 0) throw notFound('offboarding of', entryId ?? spiffeId)
    const whole = standing.find((row) => row.entryId === undefined)
    // One entry back in service is enough, unless somebody named the identity itself.
    const isBack = whole !== undefined && (entryId === undefined || whole.reason === DERIVED)
    const ended = new Set(isBack ? [...named, whole] : named)
    const end = { endedMs: deed.at.getTime(), endedBy: nameOf(deed) }
    return {
      mutations: [...ended].map((row) => put(changed(row, end))),
      events: isBack ? [{ kind: 'reinstate', body: { spiffeId } }] : [],
      audit: [lifecycleEvent('identity.reinstated', deed, { spiffeId, entryId, reason })],
    }
  })
  return offboardedOf(spiffeId, deps)
}

/** After entries came or went: an identity all of whose entries are offboarded is, and a new entry brings it back (ZO-03). */
export async function reconcileOffboarding(at: Date, deps: LifecycleDeps): Promise<void> {
  for (const { spiffeId } of listOffboarded(deps)) {
    if (deriveChange(spiffeId, at, deps) !== undefined) {
      await deps.fastLane.change(() => deriveChange(spiffeId, at, deps) ?? NOTHING)
    }
  }
}

const NOTHING: LifecycleChange = { mutations: [], events: [], audit: [] }

function deriveChange(spiffeId: string, at: Date, deps: LifecycleDeps): LifecycleChange | undefined {
  const whole = standingOf(deps, spiffeId).find((row) => row.entryId === undefined)
  if (whole === undefined) {
    const derived = derivedFor(deps, spiffeId, at, [])
    if (derived === undefined) return undefined
    const audit = [lifecycleEvent('identity.offboarded', { at }, { spiffeId, reason: DERIVED })]
    return { ...derived, events: [{ kind: 'offboard', body: { spiffeId } }], audit }
  }
  // One without entries stays as it was: what was signed for those that are gone may be valid still.
  if (whole.reason !== DERIVED || !isAnyInService(deps, spiffeId)) return undefined
  const events: FastLaneEvent[] = [{ kind: 'reinstate', body: { spiffeId } }]
  const audit = [lifecycleEvent('identity.reinstated', { at }, { spiffeId, reason: 'it has an entry in service' })]
  return { mutations: [put(changed(whole, { endedMs: at.getTime(), endedBy: 'server' }))], events, audit }
}

export function listOffboarded(deps: Pick<LifecycleDeps, 'book'>): Offboarded[] {
  const ids = new Set([...deps.book.lifecycleRows()].filter(isStanding).map(({ spiffeId }) => spiffeId))
  return [...ids].toSorted().map((spiffeId) => offboardedOf(spiffeId, deps))
}

function offboardedOf(spiffeId: string, deps: Pick<LifecycleDeps, 'book'>): Offboarded {
  const rows = standingOf(deps, spiffeId)
  return { spiffeId, complete: rows.some(({ entryId }) => entryId === undefined), rows }
}

function placeOf(
  target: OffboardingTarget,
  { directory }: LifecycleDeps,
): { readonly spiffeId: string; readonly entryId: string | undefined } {
  if ('spiffeId' in target) return { spiffeId: SpiffeId.parse(target.spiffeId).toString(), entryId: undefined }
  const entry = directory.entry(target.entryId)
  if (entry === undefined) throw notFound('registration entry', target.entryId)
  return { spiffeId: entry.spiffeId.toString(), entryId: entry.id }
}

const isStanding = (row: { readonly kind: string; readonly endedMs?: number }): row is OffboardingRow =>
  row.kind === 'offboarding' && row.endedMs === undefined

const standingOf = ({ book }: Pick<LifecycleDeps, 'book'>, spiffeId: string): OffboardingRow[] =>
  [...book.lifecycleRows()].filter((row): row is OffboardingRow => isStanding(row) && row.spiffeId === spiffeId)

const idOfRow = (spiffeId: string, entryId: string | undefined): string =>
  entryId === undefined ? `offboarded:${spiffeId}` : `offboarded-entry:${entryId}`

function rowFor({ book }: LifecycleDeps, spiffeId: string, entryId: string | undefined): OffboardingRow | undefined {
  const row = book.lifecycleRow(idOfRow(spiffeId, entryId))
  return row?.kind === 'offboarding' ? row : undefined
}

function standingRow(
  old: OffboardingRow | undefined,
  fields: {
    readonly spiffeId: string
    readonly entryId: string | undefined
    readonly reason: string
    readonly by: string
    readonly at: Date
  },
): OffboardingRow {
  const { spiffeId, entryId, reason, by, at } = fields
  return {
    ...{ kind: 'offboarding', id: idOfRow(spiffeId, entryId), spiffeId, reason, by, sinceMs: at.getTime() },
    ...(entryId === undefined ? {} : { entryId }),
    revisionNumber: old === undefined ? 0 : old.revisionNumber + 1,
  }
}

/** The row of the identity, when all of its entries are offboarded and it has none yet. */
function derivedFor(
  deps: LifecycleDeps,
  spiffeId: string,
  at: Date,
  coming: readonly OffboardingRow[],
): Pick<LifecycleChange, 'mutations'> | undefined {
  const old = rowFor(deps, spiffeId, undefined)
  if ((old !== undefined && old.endedMs === undefined) || !areAllOffboarded(deps, spiffeId, coming)) return undefined
  const row = standingRow(old, { spiffeId, entryId: undefined, reason: DERIVED, by: 'server', at })
  return { mutations: [put(row)] }
}

function areAllOffboarded(deps: LifecycleDeps, spiffeId: string, coming: readonly OffboardingRow[]): boolean {
  return entriesOf(deps, spiffeId).length > 0 && !isAnyInService(deps, spiffeId, coming)
}

function isAnyInService(deps: LifecycleDeps, spiffeId: string, coming: readonly OffboardingRow[] = []): boolean {
  const out = new Set([...standingOf(deps, spiffeId), ...coming].flatMap(({ entryId }) => entryId ?? []))
  return entriesOf(deps, spiffeId).some(({ id }) => !out.has(id))
}

const entriesOf = ({ directory }: Pick<LifecycleDeps, 'directory'>, spiffeId: string) =>
  directory.entriesWithSpiffeId(SpiffeId.parse(spiffeId))

const put = (row: OffboardingRow): Mutation => ({ kind: 'lifecycle.put', row })
