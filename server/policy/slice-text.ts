import { groupMembers } from '../../src/policy/member-groups.ts'
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
 * Prints slices. A policy's zones, services, rules and so on stand in many slices as the same objects, and so does the list of rows
 * that all of them have: each is printed once.
 */
export class SlicePrinter {
  readonly #texts = new WeakMap<object, string>()

  print({ policy, members, displaced }: SliceContent): SliceText {
    const groups = [this.#displaced(displaced), ...groupMembers(members).map((item) => this.#text(item))]
    return { policy: this.#policy(policy), members: `[${groups.filter((text) => text !== '').join(',')}]` }
  }

  #displaced(rows: readonly IdentityRow[]): string {
    let text = this.#texts.get(rows)
    if (text === undefined) this.#texts.set(rows, (text = groupMembers(rows).map(canonicalText).join(',')))
    return text
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

  #list(items: readonly object[]): string {
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
