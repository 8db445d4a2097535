/** Who wants to hear of something. A listener that throws is reported as a warning and disturbs nobody else. */
export class Listeners<T> {
  readonly #listeners = new Set<{ readonly hear: (value: T) => void }>()

  /** Disposing ends it. The same function may listen twice. */
  add(hear: (value: T) => void): Disposable {
    const listener = { hear }
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  tell(value: T): void {
    for (const { hear } of [...this.#listeners]) {
      try {
        hear(value)
      } catch (error) {
        process.emitWarning(error instanceof Error ? error : String(error))
      }
    }
  }
}
