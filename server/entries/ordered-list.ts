/** Where an item stands in a list that pages can be cut from: by creation, then by id. */
export interface Place {
  readonly createdAtMs: number
  readonly id: string
}

/** Items in the stable order of their places; whoever joins while a reader pages through appears after what was read. */
export class OrderedList<T> {
  readonly #placeOf: (item: T) => Place
  readonly #items: T[]

  constructor(placeOf: (item: T) => Place, items: Iterable<T> = []) {
    this.#placeOf = placeOf
    this.#items = [...items].sort((a, b) => compare(placeOf(a), placeOf(b)))
  }

  get size(): number {
    return this.#items.length
  }

  /** Adds an item, or replaces the one at the same place. */
  put(item: T): void {
    const place = this.#placeOf(item)
    const index = this.#indexAt(place)
    this.#items.splice(index, this.#isAt(index, place) ? 1 : 0, item)
  }

  remove(item: T): void {
    const place = this.#placeOf(item)
    const index = this.#indexAt(place)
    if (this.#isAt(index, place)) this.#items.splice(index, 1)
  }

  /** Everything, or what comes after a place. The list must not change while this is read. */
  *after(place?: Place): Generator<T> {
    let index = place === undefined ? 0 : this.#indexAt(place)
    if (place !== undefined && this.#isAt(index, place)) index++
    for (; index < this.#items.length; index++) yield this.#items[index] as T
  }

  #isAt(index: number, place: Place): boolean {
    const item = this.#items[index]
    return item !== undefined && compare(this.#placeOf(item), place) === 0
  }

  /** Index of the first item that is not before the place. */
  #indexAt(place: Place): number {
    let low = 0
    let high = this.#items.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (compare(this.#placeOf(this.#items[middle] as T), place) < 0) low = middle + 1
      else high = middle
    }
    return low
  }
}

export function compare(a: Place, b: Place): number {
  return a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}
