/** What canonical JSON can say: like JSON, where an undefined field is an absent one. */
export type CanonicalValue =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly CanonicalValue[]
  | { readonly [field: string]: CanonicalValue }

/**
 * One text for one value: fields in the order of their UTF-16 code units, no white space, numbers and strings as
 * `JSON.stringify` prints them.
 *
 * @throws TypeError for a number that is not finite
 * @see RFC 8785 (JSON Canonicalization Scheme)
 */
export function canonicalJson(value: CanonicalValue): string {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new TypeError(`${value} is not a number of JSON`)
  if (value === null || value === undefined || typeof value !== 'object') return JSON.stringify(value ?? null)
  if (isList(value)) return `[${value.map(canonicalJson).join(',')}]`
  const fields = Object.keys(value).filter((field) => value[field] !== undefined)
  return `{${fields
    .toSorted()
    .map((field) => `${JSON.stringify(field)}:${canonicalJson(value[field])}`)
    .join(',')}}`
}

// Array.isArray alone does not narrow a readonly array away from an object.
const isList = (value: object): value is readonly CanonicalValue[] => Array.isArray(value)
