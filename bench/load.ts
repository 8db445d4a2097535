import { cpuMsOf } from './cost.ts'

export interface Load {
  /** The process under test. */
  readonly pid: number
  readonly inFlight: number
  readonly seconds: number
  /** Operations that one call of `operation` makes. Default: 1. */
  readonly each?: number
  /** @param index counts the calls */
  readonly operation: (index: number) => Promise<unknown>
  /** Not measured: lets the process under test compile its hot functions. Default: a second. */
  readonly warmUpSeconds?: number
}

export interface LoadResult {
  readonly operations: number
  readonly perSecond: number
  /** Of the process under test, for one operation. */
  readonly cpuMicros: number
  readonly p50Ms: number
  readonly p99Ms: number
}

/** Keeps so many operations in flight, each beginning when another has ended. */
export async function drive(load: Load): Promise<LoadResult> {
  const { pid, inFlight, seconds, each = 1, operation, warmUpSeconds = Math.min(2, seconds / 2) } = load
  let next = 0
  const runFor = async (durationMs: number): Promise<number[]> => {
    const endMs = performance.now() + durationMs
    const latencies: number[] = []
    const worker = async (): Promise<void> => {
      for (let now = performance.now(); now < endMs;) {
        await operation(next++)
        const doneMs = performance.now()
        latencies.push(doneMs - now)
        now = doneMs
      }
    }
    await Promise.all(Array.from({ length: inFlight }, worker))
    return latencies
  }
  await runFor(warmUpSeconds * 1000)
  const [startMs, cpuBefore] = [performance.now(), cpuMsOf(pid)]
  const latencies = await runFor(seconds * 1000)
  const [elapsedMs, cpuMs] = [performance.now() - startMs, cpuMsOf(pid) - cpuBefore]
  const operations = latencies.length * each
  return {
    operations,
    perSecond: (operations / elapsedMs) * 1000,
    cpuMicros: (cpuMs * 1000) / operations,
    ...percentiles(latencies),
  }
}

export function percentiles(latencies: readonly number[]): { readonly p50Ms: number; readonly p99Ms: number } {
  const sorted = latencies.toSorted((a, b) => a - b)
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
  return { p50Ms: at(0.5), p99Ms: at(0.99) }
}

/** Runs `work` for every item, so many at a time, results in order. */
export async function inParallel<T, R>(items: readonly T[], most: number, work: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    for (let index = next++; index < items.length; index = next++) results[index] = await work(items[index] as T)
  }
  await Promise.all(Array.from({ length: Math.min(most, items.length) }, worker))
  return results
}
