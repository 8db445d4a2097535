/** One way to do the same thing. */
export interface Way {
  readonly operation: () => Promise<void>
}

export interface Comparison {
  /** Operations of ours for one of the others', per processor time of this process, which does both sides. */
  readonly ratio: number
  readonly plainMicros: number
  readonly oursMicros: number
}

const SLICE_MS = 40
const MIN_ROUNDS = 31

/**
 * Two ways in short turns, so that whatever else the machine does hits both; the ratio is the median of those of
 * the rounds. Counts processor time, which limits the rate of a process that does nothing else.
 */
export async function sideBySide(plain: Way, ours: Way, seconds: number, inFlight: number): Promise<Comparison> {
  const turn = async (way: Way): Promise<number> => {
    const [endMs, before] = [performance.now() + SLICE_MS, process.cpuUsage()]
    let count = 0
    const worker = async (): Promise<void> => {
      while (performance.now() < endMs) {
        await way.operation()
        count++
      }
    }
    await Promise.all(Array.from({ length: inFlight }, worker))
    const { user, system } = process.cpuUsage(before)
    return (user + system) / count
  }
  for (const way of [plain, ours, plain, ours]) await turn(way)
  const rounds: { readonly plain: number; readonly ours: number }[] = []
  const endMs = performance.now() + seconds * 1000
  while (rounds.length < MIN_ROUNDS || performance.now() < endMs) {
    const first = rounds.length % 2 === 0
    const [a, b] = first ? [await turn(plain), await turn(ours)] : [await turn(ours), await turn(plain)]
    rounds.push(first ? { plain: a, ours: b } : { plain: b, ours: a })
  }
  return {
    ratio: median(rounds.map((round) => round.plain / round.ours)),
    plainMicros: median(rounds.map((round) => round.plain)),
    oursMicros: median(rounds.map((round) => round.ours)),
  }
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN
}
