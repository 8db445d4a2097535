/** How many messages may be under way to an agent that has not acknowledged them; further changes are merged until it does. */
export const OUTSTANDING_MAX = 16

/** What was sent to an agent and is not yet acknowledged. */
export class Outstanding {
  #sent: { readonly to: number; readonly digest: Buffer }[] = []
  #acknowledged: number

  /** @param acknowledged the revision that the agent has proven to hold */
  constructor(acknowledged: number) {
    this.#acknowledged = acknowledged
  }

  get isEmpty(): boolean {
    return this.#sent.length === 0
  }

  get isFull(): boolean {
    return this.#sent.length >= OUTSTANDING_MAX
  }

  /** Highest revision that was acknowledged in words. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  sent(to: number, digest: Buffer): void {
    this.#sent.push({ to, digest })
  }

  /** After a snapshot nothing that was sent before matters. */
  clear(): void {
    this.#sent = []
  }

  /**
   * Takes an acknowledgement.
   *
   * @returns false when the agent holds something else than it was sent
   */
  acknowledge(revision: number, digest: Uint8Array): boolean {
    const same = this.#sent.filter(({ to }) => to === revision)
    const agrees = same.length === 0 || digest.length === 0 || same.some((one) => one.digest.equals(digest))
    this.#sent = this.#sent.filter(({ to }) => to > revision)
    if (agrees && same.length > 0) this.#acknowledged = Math.max(this.#acknowledged, revision)
    return agrees
  }
}
