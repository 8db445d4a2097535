import { readFileSync } from 'node:fs'
import type { Clock } from '../clock.ts'
import { codeMappings } from './code-mappings.ts'
import type { Libc } from './libc.ts'

/** How a process does at a moment. */
export interface Usage {
  readonly atMs: number
  /** Processor time since the start. */
  readonly cpuMs: number
  /** In memory, without pages of files: those come back by themselves and are no growth. */
  readonly anonymousBytes: number
  readonly heapBytes: number
}

const LOOK_MS = 1000
/** Of one core, over two looks in a row: whoever takes less is waiting for work. */
const QUIET_SHARE = 0.05
/** What must have come since the last time, at least and as a share of what is needed: a start or a burst, no coming and going. */
const GROWTH_MIN_BYTES = 8 * 1024 * 1024
const GROWTH_MIN_SHARE = 1 / 8
const PAUSE_MIN_MS = 10_000
/** Collecting stops everything for 2 to 4 ms a MiB: nobody shall wait a second for memory that is a small part of the whole. */
const HEAP_MAX_BYTES = 96 * 1024 * 1024

/** Decides when memory is given back: apart from doing it, so that a test can try every course of things. */
export class TrimDecision {
  #last: Usage | undefined
  #quietLooks = 0
  #trimmedAtMs = Number.NEGATIVE_INFINITY
  /** In use after the last time. */
  #floorBytes = 0

  /** Takes a look. True: now. */
  isDue(usage: Usage): boolean {
    const last = this.#last
    this.#last = usage
    if (last === undefined) return false
    const isQuiet = usage.cpuMs - last.cpuMs < QUIET_SHARE * (usage.atMs - last.atMs)
    this.#quietLooks = isQuiet ? this.#quietLooks + 1 : 0
    return (
      this.#quietLooks >= 2 &&
      usage.anonymousBytes - this.#floorBytes >= Math.max(GROWTH_MIN_BYTES, GROWTH_MIN_SHARE * this.#floorBytes) &&
      usage.atMs - this.#trimmedAtMs >= PAUSE_MIN_MS
    )
  }

  /** Memory was given back; what is used now is needed. */
  trimmed(usage: Usage): void {
    this.#last = usage
    this.#quietLooks = 0
    this.#trimmedAtMs = usage.atMs
    this.#floorBytes = usage.anonymousBytes
  }
}

/**
 * Gives back what a start or a burst left behind, once the process has been quiet for two seconds: V8 keeps room for new objects that
 * nobody fills any more, malloc keeps freed pieces, and half of the program's pages were needed to start only.
 *
 * @param release drops caches first; does not throw
 */
export function trimMemoryWhenQuiet(clock: Clock, libc: Libc | undefined, release: () => Promise<void>): Disposable {
  const decision = new TrimDecision()
  let timer = clock.timer(LOOK_MS, look)
  let isOver = false
  function look(): void {
    const usage = usageNow(clock)
    if (decision.isDue(usage)) void giveBack(usage)
    else lookAgain()
  }
  function lookAgain(): void {
    if (!isOver) timer = clock.timer(LOOK_MS, look)
  }
  async function giveBack(usage: Usage): Promise<void> {
    await release()
    trim(usage, libc)
    decision.trimmed(usageNow(clock))
    lookAgain()
  }
  return {
    [Symbol.dispose]: () => {
      isOver = true
      timer[Symbol.dispose]()
    },
  }
}

function trim({ heapBytes }: Usage, libc: Libc | undefined): void {
  // There with --expose-gc, which the launcher sets. Any other collection keeps the room for new objects.
  if (heapBytes <= HEAP_MAX_BYTES) globalThis.gc?.({ type: 'major', flavor: 'last-resort' })
  libc?.trimMalloc()
  for (const mapping of codeMappings(readOwn('smaps'))) libc?.forgetPages(mapping)
}

function usageNow(clock: Clock): Usage {
  const { user, system } = process.cpuUsage()
  const { rss, heapUsed } = process.memoryUsage()
  const anonymousKb = /^RssAnon:\s+(\d+) kB/m.exec(readOwn('status'))?.[1]
  return {
    atMs: clock.monotonicMs(),
    cpuMs: (user + system) / 1000,
    anonymousBytes: anonymousKb === undefined ? rss : Number(anonymousKb) * 1024,
    heapBytes: heapUsed,
  }
}

function readOwn(file: 'status' | 'smaps'): string {
  try {
    return readFileSync(`/proc/self/${file}`, 'utf8')
  } catch {
    // Another system, or no /proc: what cannot be told is left as it is.
    return ''
  }
}
