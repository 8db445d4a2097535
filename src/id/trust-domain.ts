import { SallyportError } from '../errors.ts'

/** A trust domain name such as `example.org`. Holding one is proof that it is valid. */
export class TrustDomain {
  /** Nearly all ids of a process are of one trust domain, which need not be held once for each of them. */
  static #last: TrustDomain | undefined
  readonly name: string

  private constructor(name: string) {
    this.name = name
  }

  /**
   * Reads a name of 1 to 255 bytes from `a-z 0-9 . _ -`.
   *
   * @throws {@link SallyportError} `TRUST_DOMAIN_INVALID`
   * @see SPIFFE-ID.md §2.1 (characters) and §2.3 (length)
   */
  static parse(text: string): TrustDomain {
    if (text === TrustDomain.#last?.name) return TrustDomain.#last
    if (/^[a-z0-9._-]{1,255}$/.test(text)) return (TrustDomain.#last = new TrustDomain(text))
    throw new SallyportError(
      'TRUST_DOMAIN_INVALID',
      `Cannot parse trust domain ${JSON.stringify(text.slice(0, 300))}: not 1-255 of a-z 0-9 ._-`,
    )
  }

  equals(other: TrustDomain): boolean {
    return this.name === other.name
  }

  /** `spiffe://example.org`, the id of the trust domain itself. */
  get idString(): string {
    return `spiffe://${this.name}`
  }

  toString(): string {
    return this.name
  }
}
