import { readableNow } from './system-calls.ts'

const INTERVAL_MS = 200

/** One timer for all watched processes, and one system call a turn, whatever their number. */
const watched = new Map<number, () => void>()
let timer: NodeJS.Timeout | undefined

/** Calls `onExit` once, soon after the process behind the pidfd has exited, unless disposed before. */
export function watchExit(pidfd: number, onExit: () => void): Disposable {
  watched.set(pidfd, onExit)
  timer ??= setInterval(turn, INTERVAL_MS).unref()
  return {
    [Symbol.dispose]: () => {
      if (watched.get(pidfd) === onExit) watched.delete(pidfd)
      if (watched.size > 0 || timer === undefined) return
      clearInterval(timer)
      timer = undefined
    },
  }
}

function turn(): void {
  for (const pidfd of readableNow([...watched.keys()])) {
    const onExit = watched.get(pidfd)
    watched.delete(pidfd)
    onExit?.()
  }
}
