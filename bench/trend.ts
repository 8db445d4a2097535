/** Where a quantity goes over time. */
export class Trend {
  readonly #samples: { readonly atMs: number; readonly value: number }[] = []

  add(value: number): void {
    this.#samples.push({ atMs: performance.now(), value })
  }

  get last(): number {
    return this.#samples.at(-1)?.value ?? NaN
  }

  /** The slope of the second half, by least squares: in the first one caches fill and code is compiled. */
  get perMinute(): number {
    const samples = this.#samples.slice(this.#samples.length / 2)
    const [meanMs, mean] = [meanOf(samples.map(({ atMs }) => atMs)), meanOf(samples.map(({ value }) => value))]
    const along = samples.reduce((sum, { atMs, value }) => sum + (atMs - meanMs) * (value - mean), 0)
    return (along / samples.reduce((sum, { atMs }) => sum + (atMs - meanMs) ** 2, 0)) * 60_000
  }
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
