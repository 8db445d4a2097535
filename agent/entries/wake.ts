/** A bell that several sources ring and one waiter hears: rung while nobody waits, it is heard by the next wait. */
export class Wake {
  #rung = false
  #waiter: (() => void) | undefined

  ring(): void {
    this.#rung = true
    this.#waiter?.()
  }

  /** Resolves when rung since the last wait; rejects with the signal's reason when it aborts first. */
  async wait(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    if (!this.#rung) {
      await new Promise<void>((resolve, reject) => {
        const onAbort = (): void => {
          this.#waiter = undefined
          reject(signal.reason as Error)
        }
        this.#waiter = () => {
          this.#waiter = undefined
          signal.removeEventListener('abort', onAbort)
          resolve()
        }
        signal.addEventListener('abort', onAbort, { once: true })
      })
    }
    this.#rung = false
  }
}
