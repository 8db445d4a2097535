/** Who wants to hear of something. A listener that throws is reported as a warning and disturbs nobody else. */
export class Listeners<T> {
  readonly #listeners = new Set<{ readonly hear: (value: T) => void }>()

  /** Disposing ends it. The same function may listen twice. */
  add(hear: (value: T) => void): Disposable {
    const listener = { hear }
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  /** What is told next. Rejects with the reason of `signal` when that aborts first. */
  next(signal?: AbortSignal): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>()
    const abort = (): void => end(() => reject(signal?.reason as Error))
    const listening = this.add((value) => end(() => resolve(value)))
    const end = (settle: () => void): void => {
      listening[Symbol.dispose]()
      signal?.removeEventListener('abort', abort)
      settle()
    }
    if (signal?.aborted === true) abort()
    else signal?.addEventListener('abort', abort, { once: true })
    return promise
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

/** Ends all at once. */
export const together = (parts: readonly Disposable[]): Disposable => ({
  [Symbol.dispose]: () => parts.forEach((part) => part[Symbol.dispose]()),
})
