/** What can be found again and is kept to save time: when there are as many as its limit, all are forgotten. */
export class BoundedCache<Key, Value> {
  readonly #kept = new Map<Key, Value>()
  readonly #limit: number

  constructor(limit: number) {
    this.#limit = limit
  }

  get(key: Key): Value | undefined {
    return this.#kept.get(key)
  }

  /** Returns the value. */
  keep(key: Key, value: Value): Value {
    if (this.#kept.size >= this.#limit) this.#kept.clear()
    this.#kept.set(key, value)
    return value
  }
}
