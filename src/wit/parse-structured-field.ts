import { SallyportError } from '../errors.ts'
import { decodeBase64 } from '../jws/base64.ts'
import type { BareItem, Dictionary, InnerList, Item, Parameters } from './structured-field.ts'

/** What is read of a field whose sender is not known yet. */
export const FIELD_MAX = 8192
export const FIELD_MAX_MEMBERS = 16
export const FIELD_MAX_ITEMS = 64
export const FIELD_MAX_PARAMETERS = 32

/**
 * Reads a dictionary. Stricter than the standard in three places where readers could understand two things: a name that is there
 * twice, base64 in another spelling than its own, and more of anything than the limits above are refused.
 *
 * @param what names the field in messages
 * @throws {@link SallyportError} `STRUCTURED_FIELD_INVALID`
 * @see RFC 9651 §4.2.2; dates and display strings are not among what is read
 */
export function parseDictionary(text: string, what: string): Dictionary {
  return new FieldReader(text, what).dictionary()
}

/** One pass, from left to right; each expression matches at the place where the last one ended. */
class FieldReader {
  readonly #text: string
  readonly #what: string
  #at = 0

  constructor(text: string, what: string) {
    if (text.length > FIELD_MAX) throw invalid(what, `it is longer than ${FIELD_MAX} characters`)
    this.#text = text
    this.#what = what
  }

  dictionary(): Dictionary {
    const members = new Map<string, Item | InnerList>()
    this.#take(/ */y)
    while (this.#at < this.#text.length) {
      if (members.size === FIELD_MAX_MEMBERS) throw this.#invalid(`it has more than ${FIELD_MAX_MEMBERS} members`)
      const key = this.#newKey(members)
      members.set(key, this.#member())
      this.#take(/[ \t]*/y)
      if (this.#at === this.#text.length) return members
      if (this.#take(/,[ \t]*/y) === undefined || this.#at === this.#text.length)
        throw this.#invalid('a comma is missing or too many')
    }
    return members
  }

  #member(): Item | InnerList {
    if (this.#take(/=/y) === undefined)
      return { bare: { type: 'boolean', value: true }, parameters: this.#parameters() }
    return this.#text[this.#at] === '(' ? this.#innerList() : this.#item()
  }

  #innerList(): InnerList {
    const items: Item[] = []
    this.#take(/\( */y)
    while (this.#take(/\)/y) === undefined) {
      if (items.length === FIELD_MAX_ITEMS) throw this.#invalid(`a list has more than ${FIELD_MAX_ITEMS} items`)
      items.push(this.#item())
      if (this.#take(/ +|(?=\))/y) === undefined) throw this.#invalid('a list does not end')
    }
    return { items, parameters: this.#parameters() }
  }

  #item(): Item {
    return { bare: this.#bareItem(), parameters: this.#parameters() }
  }

  #parameters(): Parameters {
    const parameters = new Map<string, BareItem>()
    while (this.#take(/; */y) !== undefined) {
      if (parameters.size === FIELD_MAX_PARAMETERS)
        throw this.#invalid(`something has more than ${FIELD_MAX_PARAMETERS} parameters`)
      const key = this.#newKey(parameters)
      parameters.set(key, this.#take(/=/y) === undefined ? { type: 'boolean', value: true } : this.#bareItem())
    }
    return parameters
  }

  /** Of two values of one name the standard takes the later one, other readers the first. */
  #newKey(known: ReadonlyMap<string, unknown>): string {
    const key = this.#take(/[a-z*][a-z0-9_.*-]*/y)
    if (key === undefined) throw this.#invalid('a name is missing')
    if (known.has(key)) throw this.#invalid(`it has ${JSON.stringify(key.slice(0, 60))} twice`)
    return key
  }

  #bareItem(): BareItem {
    const number = this.#take(/-?[0-9]+(?:\.[0-9]*)?/y)
    if (number !== undefined) return this.#number(number)
    const string = this.#take(/"(?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*"/y)
    if (string !== undefined) return { type: 'string', value: string.slice(1, -1).replaceAll(/\\(["\\])/g, '$1') }
    const token = this.#take(/[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*/y)
    if (token !== undefined) return { type: 'token', value: token }
    const boolean = this.#take(/\?[01]/y)
    if (boolean !== undefined) return { type: 'boolean', value: boolean === '?1' }
    const bytes = this.#take(/:[A-Za-z0-9+/=]*:/y)
    const value = bytes === undefined ? undefined : decodeBase64(bytes.slice(1, -1))
    if (value !== undefined) return { type: 'bytes', value }
    throw this.#invalid(`there is no value at character ${this.#at}`)
  }

  #number(text: string): BareItem {
    if (/^-?[0-9]{1,15}$/.test(text)) return { type: 'integer', value: Number(text) }
    if (/^-?[0-9]{1,12}\.[0-9]{1,3}$/.test(text)) return { type: 'decimal', value: Number(text) }
    throw this.#invalid('a number has too many digits')
  }

  #take(expression: RegExp): string | undefined {
    expression.lastIndex = this.#at
    const found = expression.exec(this.#text)?.[0]
    if (found !== undefined) this.#at += found.length
    return found
  }

  #invalid(why: string): SallyportError {
    return invalid(this.#what, why)
  }
}

function invalid(what: string, why: string): SallyportError {
  return new SallyportError('STRUCTURED_FIELD_INVALID', `Cannot read ${what}: ${why}`)
}
