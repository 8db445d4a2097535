/** The names of the headers that carry a WIT-SVID and its proof. */
export const WIT_FIELD = 'workload-identity-token'
export const PROOF_TOKEN_FIELD = 'workload-proof-token'
/** Of those that carry other tokens. */
export const ACCESS_TOKEN_FIELD = 'authorization'
export const TRANSACTION_TOKEN_FIELD = 'txn-token'

/** The headers of a request that carry tokens, in lower case: the usual ones and these others. */
export const tokenFieldsOf = (tokenFields: readonly string[]): readonly string[] => [
  ACCESS_TOKEN_FIELD,
  TRANSACTION_TOKEN_FIELD,
  ...tokenFields,
]

/** The header fields of a message as they came: repeated ones are still apart, which `headers` of Node does not tell. */
export class HeaderFields {
  readonly #values = new Map<string, string[]>()

  private constructor(lines: Iterable<readonly [name: string, value: string]>) {
    for (const [name, value] of lines) {
      // Pseudo-headers of HTTP/2 are no fields.
      if (name.startsWith(':')) continue
      const key = name.toLowerCase()
      const values = this.#values.get(key)
      if (values === undefined) this.#values.set(key, [value])
      else values.push(value)
    }
  }

  static of(lines: Iterable<readonly [name: string, value: string]>): HeaderFields {
    return new HeaderFields(lines)
  }

  /** Names and values in turn, as `rawHeaders` of Node has them. */
  static ofRaw(rawHeaders: readonly string[]): HeaderFields {
    const lines: (readonly [string, string])[] = []
    for (let index = 0; index + 1 < rawHeaders.length; index += 2)
      lines.push([rawHeaders[index] ?? '', rawHeaders[index + 1] ?? ''])
    return new HeaderFields(lines)
  }

  /** With these instead of what has their names. */
  with(headers: Readonly<Record<string, string>>): HeaderFields {
    const changed = new HeaderFields(Object.entries(headers))
    for (const [name, values] of this.#values) if (!changed.#values.has(name)) changed.#values.set(name, values)
    return changed
  }

  /** How many lines of this name there are; names are in lower case. */
  count(name: string): number {
    return this.#values.get(name)?.length ?? 0
  }

  has(name: string): boolean {
    return this.#values.has(name)
  }

  /** The value of the only line of this name, as it came; undefined when there is none, or more than one. */
  only(name: string): string | undefined {
    const [value, ...more] = this.#values.get(name) ?? []
    return more.length === 0 ? value : undefined
  }

  /**
   * The value of all lines of this name as a signature covers it: each without the space around it, joined by a comma.
   *
   * @see RFC 9421 §2.1
   */
  combined(name: string): string | undefined {
    // Each run of spaces is looked at once, from its start: whoever sent them may not be known yet.
    const trimmed = this.#values.get(name)?.map((value) => value.replace(/^[ \t]+|(?<![ \t])[ \t]+$/g, ''))
    return trimmed?.join(', ')
  }
}
