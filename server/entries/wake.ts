/** Lets a loop sleep until there is something to do; a wake while nobody sleeps is kept for the next sleeper. */
export class Wake {
  #pending = false
  #resume: (() => void) | undefined

  wake(): void {
    this.#pending = true
    this.#resume?.()
  }

  /** Resolves after the next (or a kept) wake. One sleeper at a time. Rejects with the signal's reason when it aborts. */
  async sleep(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (!this.#pending) {
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const onAbort = (): void => reject(signal.reason as Error)
      signal.addEventListener('abort', onAbort, { once: true })
      this.#resume = resolve
      try {
        await promise
      } finally {
        this.#resume = undefined
        signal.removeEventListener('abort', onAbort)
      }
    }
    this.#pending = false
  }
}
