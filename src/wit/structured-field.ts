/** A value of a structured field, by the type it was written in: two types may print the same value differently. */
export type BareItem =
  | { readonly type: 'integer' | 'decimal'; readonly value: number }
  | { readonly type: 'string' | 'token'; readonly value: string }
  | { readonly type: 'bytes'; readonly value: Buffer }
  | { readonly type: 'boolean'; readonly value: boolean }

/** In the order in which they were written. */
export type Parameters = ReadonlyMap<string, BareItem>

export interface Item {
  readonly bare: BareItem
  readonly parameters: Parameters
}

export interface InnerList {
  readonly items: readonly Item[]
  readonly parameters: Parameters
}

export type Dictionary = ReadonlyMap<string, Item | InnerList>

export const isInnerList = (member: Item | InnerList | undefined): member is InnerList =>
  member !== undefined && 'items' in member

/** @see RFC 9651 §4.1.1.1 */
export function printInnerList({ items, parameters }: InnerList): string {
  return `(${items.map(printItem).join(' ')})${printParameters(parameters)}`
}

/** @see RFC 9651 §4.1.3 */
export function printItem({ bare, parameters }: Item): string {
  return `${printBareItem(bare)}${printParameters(parameters)}`
}

function printParameters(parameters: Parameters): string {
  return [...parameters]
    .map(([name, bare]) => (bare.type === 'boolean' && bare.value ? `;${name}` : `;${name}=${printBareItem(bare)}`))
    .join('')
}

export function printBareItem(bare: BareItem): string {
  switch (bare.type) {
    // Minus zero is written as 0.
    case 'integer':
      return String(bare.value + 0)
    case 'decimal':
      return printDecimal(bare.value)
    case 'string':
      return `"${bare.value.replaceAll(/["\\]/g, '\\$&')}"`
    case 'token':
      return bare.value
    case 'bytes':
      return `:${bare.value.toString('base64')}:`
    case 'boolean':
      return bare.value ? '?1' : '?0'
  }
}

/** At most three digits after the point, and at least one. */
function printDecimal(value: number): string {
  return (value + 0).toFixed(3).replace(/0{1,2}$/, '')
}

const NO_PARAMETERS: Parameters = new Map()

export const stringItem = (value: string, parameters = NO_PARAMETERS): Item => ({
  bare: { type: 'string', value },
  parameters,
})
