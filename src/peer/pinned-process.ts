import { SallyportError } from '../errors.ts'
import { startTimeOf } from '../process-start.ts'
import { watchExit } from './exit-watch.ts'
import type { Peer } from './peer.ts'
import { closeDescriptor, readableNow } from './system-calls.ts'

/** How we know that a process still runs. */
export interface Life {
  isAlive(): boolean
  watch(onExit: () => void): Disposable
  release(): void
}

/** A process that no later one of the same number is taken for. */
export class PinnedProcess implements Peer {
  readonly pid: number
  readonly uid: number
  readonly gid: number
  readonly supplementaryGids: readonly number[]
  readonly executable: Peer['executable']
  readonly #life: Life
  #released = false
  #exit: AbortController | undefined
  #watch: Disposable | undefined

  constructor(facts: Pick<Peer, 'pid' | 'uid' | 'gid' | 'supplementaryGids' | 'executable'>, life: Life) {
    this.pid = facts.pid
    this.uid = facts.uid
    this.gid = facts.gid
    this.supplementaryGids = facts.supplementaryGids
    this.executable = facts.executable
    this.#life = life
  }

  isAlive(): boolean {
    return !this.#released && this.#life.isAlive()
  }

  get exited(): AbortSignal {
    if (this.#exit === undefined) {
      const exit = new AbortController()
      this.#exit = exit
      if (this.#released) exit.abort(exited(this.pid))
      else this.#watch = this.#life.watch(() => exit.abort(exited(this.pid)))
    }
    return this.#exit.signal
  }

  /** Nobody asks about it any more. */
  release(why: SallyportError): void {
    if (this.#released) return
    this.#released = true
    this.#watch?.[Symbol.dispose]()
    this.#life.release()
    this.#exit?.abort(why)
  }
}

const exited = (pid: number): SallyportError =>
  new SallyportError('PROCESS_REFUSED', `Process ${pid} has exited or closed its socket`)

/** The kernel's own name for one process. */
export class PidfdLife implements Life {
  readonly #pidfd: number

  constructor(pidfd: number) {
    this.#pidfd = pidfd
  }

  isAlive(): boolean {
    return readableNow([this.#pidfd]).length === 0
  }

  watch(onExit: () => void): Disposable {
    return watchExit(this.#pidfd, onExit)
  }

  release(): void {
    closeDescriptor(this.#pidfd)
  }
}

/** Where the kernel has no pidfds: leaves a race, between a number and what is read by it. */
export function startTimeLife(pid: number): Life {
  const startTime = startTimeOf(pid)
  const isAlive = (): boolean => startTime !== undefined && startTimeOf(pid) === startTime
  return {
    isAlive,
    watch: (onExit) => {
      const timer = setInterval(() => {
        if (isAlive()) return
        clearInterval(timer)
        onExit()
      }, 1000).unref()
      return { [Symbol.dispose]: () => clearInterval(timer) }
    },
    release: () => undefined,
  }
}
