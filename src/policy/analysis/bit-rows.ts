/** Sets of small whole numbers, one per row, side by side in one array. */
export class BitRows {
  readonly columns: number
  readonly #words: number
  readonly #bits: Uint32Array

  constructor(rows: number, columns: number) {
    this.columns = columns
    this.#words = (columns + 31) >>> 5
    this.#bits = new Uint32Array(rows * this.#words)
  }

  add(row: number, column: number): void {
    const at = row * this.#words + (column >>> 5)
    this.#bits[at] = (this.#bits[at] as number) | (1 << (column & 31))
  }

  has(row: number, column: number): boolean {
    return ((this.#bits[row * this.#words + (column >>> 5)] as number) & (1 << (column & 31))) !== 0
  }

  /** Adds all of another row, which may be one of another set of rows with as many columns. */
  addRow(row: number, other: number, from: BitRows = this): void {
    const [to, source] = [row * this.#words, other * this.#words]
    for (let word = 0; word < this.#words; word++) {
      const bits = from.#bits[source + word] as number
      if (bits !== 0) this.#bits[to + word] = (this.#bits[to + word] as number) | bits
    }
  }

  clear(row: number): void {
    this.#bits.fill(0, row * this.#words, (row + 1) * this.#words)
  }

  /** What is in a row, in rising order. */
  each(row: number, see: (column: number) => void): void {
    const start = row * this.#words
    for (let word = 0; word < this.#words; word++) {
      let bits = this.#bits[start + word] as number
      while (bits !== 0) {
        const low = bits & -bits
        see((word << 5) + (31 - Math.clz32(low)))
        bits ^= low
      }
    }
  }

  list(row: number): number[] {
    const found: number[] = []
    this.each(row, (column) => found.push(column))
    return found
  }
}
