import type { IdentityRow } from '../../src/policy/membership.ts'
import type { PolicySet } from '../../src/policy/policy-set.ts'
import type { SliceContent } from '../../src/policy/slice.ts'
import { canonicalText } from './signed-text.ts'

/** The two parts of a slice that are long, as canonical JSON. */
export interface SliceText {
  readonly policy: string
  readonly members: string
}

/**
 * Prints slices. A policy's zones, services, rules and so on stand in many slices as the same objects: each is printed once.
 */
export class SlicePrinter {
  readonly #texts = new WeakMap<object, string>()

  print({ policy, members }: SliceContent): SliceText {
    return { policy: this.#policy(policy), members: this.#list(members) }
  }

  #policy(policy: PolicySet): string {
    const fields = Object.entries(policy)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]: [string, unknown]) => [name, this.#value(value)] as const)
    return objectText(fields)
  }

  #value(value: unknown): string {
    if (Array.isArray(value)) return this.#list(value as readonly object[])
    return typeof value === 'object' && value !== null ? this.#text(value) : JSON.stringify(value)
  }

  #list(items: readonly object[] | readonly IdentityRow[]): string {
    return `[${items.map((item) => this.#text(item)).join(',')}]`
  }

  #text(item: object): string {
    let text = this.#texts.get(item)
    if (text === undefined) this.#texts.set(item, (text = canonicalText(item)))
    return text
  }
}

/** An object of canonical JSON from texts of its fields. */
export function objectText(fields: readonly (readonly [name: string, text: string])[]): string {
  const sorted = fields.toSorted(([a], [b]) => (a < b ? -1 : 1))
  return `{${sorted.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`
}
