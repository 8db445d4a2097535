import { SallyportError } from '../errors.ts'

/** Turns a value of parsed JSON into a `T`, or says what is wrong at which path. */
export type Shape<T> = (value: unknown, path: string) => T

/** What a shape makes. */
export type Shaped<S> = S extends Shape<infer T> ? T : never

/** The longest text that a document of policy may hold: a condition or a justification. */
const TEXT_MAX_LENGTH = 8192
/** The longest list: members of a slice. */
const LIST_MAX_LENGTH = 1_000_000

export const text: Shape<string> = (value, path) =>
  typeof value === 'string' && value.length <= TEXT_MAX_LENGTH ? value : fail(path, 'is no text')

export const matching =
  (form: RegExp, why: string): Shape<string> =>
  (value, path) =>
    form.test(text(value, path)) ? text(value, path) : fail(path, why)

export const flag: Shape<boolean> = (value, path) =>
  typeof value === 'boolean' ? value : fail(path, 'is not true or false')

/** A whole number that is not negative: a count, a duration or an instant in milliseconds. */
export const count: Shape<number> = (value, path) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : fail(path, 'is no whole number from 0')

export const port: Shape<number> = (value, path) =>
  count(value, path) <= 65_535 ? count(value, path) : fail(path, 'is no port')

export const oneOf =
  <const T extends string | number>(...values: readonly T[]): Shape<T> =>
  (value, path) =>
    values.includes(value as T) ? (value as T) : fail(path, `is none of ${values.join(', ')}`)

export const list =
  <T>(of: Shape<T>): Shape<readonly T[]> =>
  (value, path) =>
    Array.isArray(value) && value.length <= LIST_MAX_LENGTH
      ? value.map((item, index) => of(item, `${path}[${index}]`))
      : fail(path, 'is no list')

export const optional =
  <T>(of: Shape<T>): Shape<T | undefined> =>
  (value, path) =>
    value === undefined ? undefined : of(value, path)

export const nullable =
  <T>(of: Shape<T>): Shape<T | null> =>
  (value, path) =>
    value === null ? null : of(value, path)

type Fields = Readonly<Record<string, Shape<unknown>>>
type ShapedFields<F extends Fields> = { readonly [K in keyof F]: Shaped<F[K]> }

/** An object whose fields are all known: one that is not may forbid something, so it is not passed over. */
export function object<const F extends Fields>(fields: F): Shape<ShapedFields<F>> {
  const known = part(fields)
  return (value, path) => {
    for (const name of Object.keys(objectAt(value, path)))
      if (!Object.hasOwn(fields, name)) fail(`${path}.${name}`, 'is not known')
    return known(value, path)
  }
}

/** Some fields of an object that may have others: for who hands the whole on to a reader that knows all of them. */
export function part<const F extends Fields>(fields: F): Shape<ShapedFields<F>> {
  const entries = Object.entries(fields)
  return (value, path) => {
    const source = objectAt(value, path)
    return Object.fromEntries(
      entries.map(([name, of]) => [name, of(source[name], `${path}.${name}`)]),
    ) as ShapedFields<F>
  }
}

/** An object with any names. */
export const map =
  <T>(of: Shape<T>): Shape<Readonly<Record<string, T>>> =>
  (value, path) =>
    Object.fromEntries(Object.entries(objectAt(value, path)).map(([name, item]) => [name, of(item, `${path}.${name}`)]))

/** The first of several shapes of objects that names a field which the value has. */
export const either =
  <const A extends Readonly<Record<string, Shape<unknown>>>>(alternatives: A): Shape<Shaped<A[keyof A]>> =>
  (value, path) => {
    const source = objectAt(value, path)
    const name = Object.keys(alternatives).find((field) => Object.hasOwn(source, field))
    return (name === undefined ? fail(path, 'is of no known form') : alternatives[name]?.(value, path)) as Shaped<
      A[keyof A]
    >
  }

/** An object whose field `name` says which of several shapes it has. */
export const tagged =
  <const A extends Readonly<Record<string, Shape<unknown>>>>(
    name: string,
    alternatives: A,
  ): Shape<Shaped<A[keyof A]>> =>
  (value, path) => {
    const tag = objectAt(value, path)[name]
    const of = typeof tag === 'string' && Object.hasOwn(alternatives, tag) ? alternatives[tag] : undefined
    return (of === undefined ? fail(`${path}.${name}`, 'is of no known kind') : of(value, path)) as Shaped<A[keyof A]>
  }

function objectAt(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return fail(path, 'is no object')
  return value as Readonly<Record<string, unknown>>
}

/** @throws {@link SallyportError} `POLICY_DOCUMENT_INVALID` */
export function fail(path: string, why: string): never {
  throw new SallyportError('POLICY_DOCUMENT_INVALID', `Cannot read policy: ${path} ${why}`)
}

/**
 * Reads canonical JSON.
 *
 * @throws {@link SallyportError} `POLICY_DOCUMENT_INVALID`
 */
export function readDocument<T>(bytes: Uint8Array, mostBytes: number, what: string, shape: Shape<T>): T {
  if (bytes.length > mostBytes) fail(what, `has more than ${mostBytes} bytes`)
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch (cause) {
    throw new SallyportError('POLICY_DOCUMENT_INVALID', `Cannot read policy: ${what} is no JSON`, { cause })
  }
  return shape(value, what)
}
