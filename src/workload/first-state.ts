import type { Clock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import type { SourceHealth } from './source-health.ts'
import { statusOf } from './watch.ts'

/** How long a source waits for its first state when it is not told otherwise. */
export const FIRST_STATE_TIMEOUT_MS = 30_000

/** What is open once it is ready; closed where it never gets there. */
export async function onceReady<S extends AsyncDisposable>(opened: S, ready: () => Promise<void>): Promise<S> {
  try {
    await ready()
    return opened
  } catch (error) {
    await opened[Symbol.asyncDispose]()
    throw error
  }
}

/** What is waited for: a `Followed` of any kind. */
export interface Waited {
  readonly health: SourceHealth
  changed(signal?: AbortSignal): Promise<void>
}

export interface FirstStateWait {
  readonly clock: Clock
  /** Where is asked, for messages. */
  readonly address: string
  /** `Infinity`: for as long as it takes. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** What is waited for: "an SVID". */
  readonly what: string
  /** Why what has arrived is not enough yet; undefined when it is. Throws what makes waiting useless. */
  readonly missing: () => Error | undefined
}

/**
 * Waits until a source has something to offer.
 *
 * @throws {@link SallyportError} `SOURCE_TIMEOUT`, which says what is missing and what helps; what the agent answered when
 *   asking again is of no use; the reason of `signal`
 */
export async function awaitFirstState(followed: readonly Waited[], wait: FirstStateWait): Promise<void> {
  const { clock, timeoutMs = FIRST_STATE_TIMEOUT_MS, signal } = wait
  const late = new AbortController()
  const timer = timeoutMs === Infinity ? undefined : clock.timer(timeoutMs, () => late.abort())
  const stop = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal])
  try {
    for (;;) {
      signal?.throwIfAborted()
      const missing = wait.missing()
      if (missing === undefined) return
      if (late.signal.aborted) throw timedOut(wait, timeoutMs, troubleOf(followed) ?? missing)
      // It rejects for `stop` alone, whose two halves are looked at above: there the reason of either is thrown.
      await firstChange(followed, stop).catch(() => {})
    }
  } finally {
    timer?.[Symbol.dispose]()
  }
}

/** Waits for a change of one of several. */
export async function firstChange(followed: readonly Waited[], signal?: AbortSignal): Promise<void> {
  const done = new AbortController()
  const stop = signal === undefined ? done.signal : AbortSignal.any([signal, done.signal])
  try {
    await Promise.race(followed.map((one) => one.changed(stop)))
  } finally {
    // Ends the waits for the others.
    done.abort()
  }
}

const troubleOf = (followed: readonly Waited[]): Error | undefined =>
  followed.map(({ health }) => health.error).find((error) => error !== undefined)

function timedOut({ what, address }: FirstStateWait, timeoutMs: number, cause: Error): SallyportError {
  return new SallyportError(
    'SOURCE_TIMEOUT',
    `Cannot get ${what} from ${address} within ${timeoutMs} ms: ${cause.message}`,
    { cause, hint: hintFor(cause) },
  )
}

/** Why a source has nothing yet, as long as no call has failed. */
export const nothingYet = (code: 'IDENTITY_NOT_HELD' | 'BUNDLE_UNKNOWN', why: string): SallyportError =>
  new SallyportError(code, why, {
    hint: `The agent took the call and has not answered, as it does at first where no entry matches: run \`sallyport explain --pid ${process.pid}\` on the node, or look at the log of the agent.`,
  })

/** What the reader does about it, by what is missing. */
function hintFor(cause: Error): string {
  switch (statusOf(cause)) {
    case 'PERMISSION_DENIED':
      // Of a broker the process in question is another one, and whoever refused has said what helps.
      if (cause instanceof SallyportError && cause.code !== 'NO_IDENTITY') return cause.hint
      return `Run \`sallyport explain --pid ${process.pid}\` on the node to see which entry is missing or which selector differs.`
    case 'UNAVAILABLE':
      return cause instanceof SallyportError && cause.code === 'UNREACHABLE'
        ? 'Start the agent with `sallyport agent run`, or set SPIFFE_ENDPOINT_SOCKET to the socket that it listens on.'
        : 'Run `sallyport status` on the node: the agent answers, but cannot serve yet.'
    default:
      return cause instanceof SallyportError ? cause.hint : 'Look for the cause in the log of the agent.'
  }
}
