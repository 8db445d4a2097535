/** Work that is over before this shows nothing. */
const QUIET_MS = 1000
const INTERVAL_MS = 200

/** Tells a person at a terminal how far long work is, in one line on stderr that goes away at the end. */
export interface Progress extends Disposable {
  readonly report: (done: number, total: number) => void
}

export function showProgress(what: string, terminal: NodeJS.WriteStream = process.stderr): Progress {
  const startMs = performance.now()
  let shownMs = 0
  return {
    report(done, total) {
      const now = performance.now()
      if (!terminal.isTTY || now - startMs < QUIET_MS || now - shownMs < INTERVAL_MS) return
      shownMs = now
      terminal.write(`\r\u001B[K${done} of ${total} ${what}`)
    },
    [Symbol.dispose]() {
      if (shownMs > 0) terminal.write('\r\u001B[K')
    },
  }
}
