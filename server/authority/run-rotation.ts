import { type AuthoritiesDeps, kindsOf } from './authority-config.ts'
import type { Journal } from './journal.ts'
import type { AuthorityKind } from './make-authority.ts'
import type { Plan } from './rotation.ts'

const LOOK_MIN_MS = 100
/** A look at least so often also notices jumps of the wall clock. */
const LOOK_MAX_MS = 60_000
const RETRY_MS = 1000

/** What is rotated: the authorities of a server. */
interface Rotating {
  /** Does what is due. A failure is logged, and what failed is still due. */
  rotate(): Promise<void>
  plan(kind: AuthorityKind): Plan
}

/** Rotates whenever it is due and follows the bundle in the store, until the signal. */
export async function runRotation(
  authorities: Rotating,
  journal: Journal,
  deps: AuthoritiesDeps,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all([rotateUntil(authorities, deps, signal), followUntil(journal, deps, signal)])
}

async function rotateUntil(authorities: Rotating, deps: AuthoritiesDeps, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    await authorities.rotate()
    const nowMs = deps.clock.now().getTime()
    // A step that is still to be done was tried and failed.
    const instants = kindsOf(deps.config).map((kind) => authorities.plan(kind).again?.getTime() ?? nowMs + RETRY_MS)
    await sleep(deps, Math.min(Math.max(Math.min(...instants) - nowMs, LOOK_MIN_MS), LOOK_MAX_MS), signal)
  }
}

/** Others may change the bundle too: another server, or whoever replaces it in the store. */
async function followUntil(journal: Journal, deps: AuthoritiesDeps, signal: AbortSignal): Promise<void> {
  const { store, trustDomain, log } = deps
  while (!signal.aborted) {
    try {
      for await (const revisions of store.watch(journal.revision, signal)) {
        for (const { revision, changes } of revisions) {
          for (const change of changes) {
            const isOwn = change.kind === 'bundle' && change.trustDomain === trustDomain.name
            if (isOwn) journal.adopt(change.after, revision)
          }
        }
      }
    } catch (err) {
      if (signal.aborted) return
      log.warn({ err }, 'Cannot follow the bundle; reading it again')
      journal.forgetAll()
    }
    await sleep(deps, RETRY_MS, signal)
  }
}

async function sleep({ clock }: AuthoritiesDeps, ms: number, signal: AbortSignal): Promise<void> {
  await clock.sleep(ms, signal).catch((error: unknown) => {
    if (!signal.aborted) throw error
  })
}
