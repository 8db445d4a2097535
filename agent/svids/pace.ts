import { SIGN_BATCH_MAX } from '../upstream/upstream.ts'

const CALLS_AT_ONCE = 4

/** How much the server is asked for at once: a few calls, and smaller ones while calls fail, because it may be slow or limit us. */
export class Pace {
  #calls = 0
  /** Halved when a call fails, doubled when one succeeds. */
  #batchSize = SIGN_BATCH_MAX

  get isFull(): boolean {
    return this.#calls >= CALLS_AT_ONCE
  }

  /** How many the next call may ask for. */
  get batchSize(): number {
    return this.#batchSize
  }

  /** Makes a call for `size` SVIDs and learns from it. */
  async keepWhile<T>(size: number, call: () => Promise<T>): Promise<T> {
    this.#calls++
    try {
      const result = await call()
      this.#batchSize = Math.min(SIGN_BATCH_MAX, this.#batchSize * 2)
      return result
    } catch (error) {
      this.#batchSize = Math.max(1, Math.ceil(size / 2))
      throw error
    } finally {
      this.#calls--
    }
  }
}
