/** Everything that waits or asks the time takes a Clock, so that a simulation can decide both. */
export interface Clock {
  /** The wall clock: may jump. */
  now(): Date
  /** Milliseconds since some start, boot time included where the system tells it: never jumps back. */
  monotonicMs(): number
  /** Resolves after `ms`; rejects with `signal.reason` when aborted first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>
  /** Calls `action` once after `ms` unless disposed before. Never keeps a process alive by itself. */
  timer(ms: number, action: () => void): Disposable
}

/** Sleeps, and resolves early when `signal` aborts: for whoever looks at the signal next. */
export const sleepUnlessAborted = (clock: Clock, ms: number, signal: AbortSignal): Promise<void> =>
  // It rejects for nothing else.
  clock.sleep(ms, signal).catch(() => {})

const LONGEST_TIMEOUT_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  sleep(ms, signal) {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason as Error)
      const onAbort = (): void => {
        clearTimeout(timeout)
        reject(signal?.reason as Error)
      }
      const timeout = setTimeout(
        () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        },
        Math.min(Math.max(ms, 0), LONGEST_TIMEOUT_MS),
      )
      signal?.addEventListener('abort', onAbort, { once: true })
    })
  },
  timer(ms, action) {
    const timeout = setTimeout(action, Math.min(Math.max(ms, 0), LONGEST_TIMEOUT_MS))
    timeout.unref()
    return {
      [Symbol.dispose]() {
        // Node keeps a list for each length of time, and drops an empty one at once only if its last timer held the process.
        timeout.ref()
        clearTimeout(timeout)
      },
    }
  },
}
