/** One Ctrl-C reaches a process twice, from the terminal and from the launcher that passes it on: signals this close are one. */
const SAME_SIGNAL_MS = 500

/** Runs `work` until SIGTERM or SIGINT; its signal aborts then. A second signal, later, ends the process at once. */
export async function runUntilSignal(work: (signal: AbortSignal) => Promise<void>): Promise<void> {
  const stop = new AbortController()
  let firstAtMs = 0
  const onSignal = (name: NodeJS.Signals): void => {
    const now = performance.now()
    if (stop.signal.aborted && now - firstAtMs > SAME_SIGNAL_MS) process.exit(name === 'SIGINT' ? 130 : 143)
    if (stop.signal.aborted) return
    firstAtMs = now
    stop.abort(new Error(`stopped by ${name}`))
  }
  process.on('SIGTERM', onSignal)
  process.on('SIGINT', onSignal)
  try {
    await work(stop.signal)
  } finally {
    process.off('SIGTERM', onSignal)
    process.off('SIGINT', onSignal)
  }
}

/** Resolves when the signal aborts. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
