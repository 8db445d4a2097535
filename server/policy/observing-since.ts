import { OBSERVE_MAX_MS } from '../../src/policy-file/check-time.ts'
import type { PolicyRevisionRow } from '../store/policy-rows.ts'
import type { Store } from '../store/store.ts'

/** Revisions are read in such lots, newest first. */
const REVISIONS_AT_ONCE = 20

/**
 * Since when the zones of a policy that observe have done so without a break, as the revisions of the server tell. Nobody asks for
 * more than the patience with zones that observe, so that older revisions are not read.
 */
export class ObservingSince {
  readonly #store: Pick<Store, 'policyRevisions'>
  #known: { readonly revision: number; readonly since: ReadonlyMap<string, number> } = { revision: 0, since: new Map() }

  constructor(store: Pick<Store, 'policyRevisions'>) {
    this.#store = store
  }

  /** In ms since 1970, by zone. */
  async of(current: PolicyRevisionRow, now: number): Promise<ReadonlyMap<string, number>> {
    if (this.#known.revision === current.revision) return this.#known.since
    const since = new Map(observing(current).map((zone) => [zone, current.appliedAtMs]))
    const open = new Set(since.keys())
    if (open.size > 0) await this.#lookBack(current.revision, now, since, open)
    this.#known = { revision: current.revision, since }
    return since
  }

  async #lookBack(revision: number, now: number, since: Map<string, number>, open: Set<string>): Promise<void> {
    for await (const row of this.#before(revision)) {
      const zones = new Set(observing(row))
      for (const zone of open) {
        if (zones.has(zone)) since.set(zone, row.appliedAtMs)
        else open.delete(zone)
      }
      if (open.size === 0 || now - row.appliedAtMs > OBSERVE_MAX_MS) return
      if (row.revision !== this.#known.revision) continue
      for (const zone of open) since.set(zone, this.#known.since.get(zone) ?? row.appliedAtMs)
      return
    }
  }

  async *#before(revision: number): AsyncGenerator<PolicyRevisionRow> {
    for (let before = revision; ;) {
      const rows = await this.#store.policyRevisions({ before, limit: REVISIONS_AT_ONCE })
      yield* rows
      const last = rows.at(-1)
      if (last === undefined) return
      before = last.revision
    }
  }
}

const observing = ({ policy: { zones } }: PolicyRevisionRow): string[] =>
  zones.filter(({ mode }) => mode === 'observe').map(({ id }) => id)
