/** The most labels of one entry, and the longest name and value, in bytes. */
export const LABELS_MAX = 64
export const LABEL_NAME_MAX = 63
export const LABEL_VALUE_MAX_BYTES = 255

export type Labels = Readonly<Record<string, string>>

/** Most entries have none: they share this. */
export const NO_LABELS: Labels = Object.freeze({})

/** Why labels may not be those of an entry, or undefined when they may. */
export function labelsProblem(labels: Labels): string | undefined {
  const pairs = Object.entries(labels)
  if (pairs.length > LABELS_MAX) return `more than ${LABELS_MAX} labels`
  for (const [name, value] of pairs) {
    const shown = JSON.stringify(name.slice(0, 120))
    if (!NAME.test(name)) return `${shown} is not a name of 1-${LABEL_NAME_MAX} from A-Z a-z 0-9 . _ / -`
    if (Buffer.byteLength(value) > LABEL_VALUE_MAX_BYTES) {
      return `the value of ${shown} is longer than ${LABEL_VALUE_MAX_BYTES} bytes`
    }
    if (/\p{Cc}/u.test(value)) return `the value of ${shown} has a control character`
  }
  return undefined
}

/** Do both say the same? */
export function labelsEqual(a: Labels, b: Labels): boolean {
  if (a === b) return true
  const names = Object.keys(a)
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && a[name] === b[name])
}

// `__proto__` would be no field of a plain object.
const NAME = new RegExp(`^(?!__proto__$)[A-Za-z0-9_][A-Za-z0-9._/-]{0,${LABEL_NAME_MAX - 1}}$`)
