/** How many digests of messages under way are kept for comparison; acknowledgements of older ones count without. */
export const OUTSTANDING_MAX = 64

/**
 * What was sent to an agent and is not yet acknowledged. It holds nothing back: how much an agent can take is the transport's matter, and
 * an acknowledgement may have to wait for a workload that does not read.
 */
export class Outstanding {
  #sent: { readonly to: number; readonly digest: Buffer }[] = []
  #lastTo: number
  #acknowledged: number

  /** @param acknowledged the revision that the agent has proven to hold */
  constructor(acknowledged: number) {
    this.#acknowledged = acknowledged
    this.#lastTo = acknowledged
  }

  get isEmpty(): boolean {
    return this.#sent.length === 0
  }

  /** Highest revision that was acknowledged in words. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  sent(to: number, digest: Buffer): void {
    this.#sent.push({ to, digest })
    this.#lastTo = to
    if (this.#sent.length > OUTSTANDING_MAX) this.#sent.shift()
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
    // Nobody can have applied what was never sent.
    if (agrees) this.#acknowledged = Math.max(this.#acknowledged, Math.min(revision, this.#lastTo))
    return agrees
  }
}
