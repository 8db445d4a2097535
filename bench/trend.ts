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

  /** The peak of the last third over that of the middle one: a slope counts memory that was given back and taken again as growth. */
  get growth(): number {
    const third = Math.floor(this.#samples.length / 3)
    const peak = (from: number, to?: number): number =>
      Math.max(...this.#samples.slice(from, to).map(({ value }) => value))
    return peak(-third) - peak(-2 * third, -third)
  }

  toString(): string {
    return this.#samples.map(({ value }) => value.toFixed(0)).join(' ')
  }
}

const meanOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length
