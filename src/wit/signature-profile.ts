import { SallyportError } from '../errors.ts'
import { CONTENT_DIGEST_FIELD } from './content-digest.ts'
import { type HeaderFields, tokenFieldsOf, WIT_FIELD } from './header-fields.ts'
import { type InnerList, type Item, stringItem } from './structured-field.ts'

export const SIGNATURE_FIELD = 'signature'
export const SIGNATURE_INPUT_FIELD = 'signature-input'
/** The label of the signature, and the tag that says what it is for. */
export const SIGNATURE_LABEL = 'wimse'
export const SIGNATURE_TAG = 'wimse-workload-to-workload'

/**
 * What a signature of a request covers: some always, some where they are present. One may be named twice.
 *
 * @param tokenFields headers besides `Authorization` and `Txn-Token` that carry tokens, in lower case
 */
export function componentsOfRequest(fields: HeaderFields, tokenFields: readonly string[]): readonly string[] {
  const ifPresent = ['content-type', CONTENT_DIGEST_FIELD, ...tokenFieldsOf(tokenFields)]
  return ['@method', '@request-target', WIT_FIELD, ...ifPresent.filter((name) => fields.has(name))]
}

/** {@link componentsOfRequest} of a response. */
export function componentsOfResponse(fields: HeaderFields): readonly string[] {
  const ifPresent = ['content-type', CONTENT_DIGEST_FIELD]
  return ['@status', '@method;req', '@request-target;req', WIT_FIELD, ...ifPresent.filter((name) => fields.has(name))]
}

/** A component by its name as above. */
export function componentOf(name: string): Item {
  const [bare = '', ...parameters] = name.split(';')
  return stringItem(bare, new Map(parameters.map((parameter) => [parameter, { type: 'boolean', value: true }])))
}

/** The text of a parameter; undefined where there is none of that type. */
export function textOf({ parameters }: Item | InnerList, name: string): string | undefined {
  const item = parameters.get(name)
  return item?.type === 'string' ? item.value : undefined
}

export function signatureInvalid(why: string): SallyportError {
  return new SallyportError('HTTP_SIGNATURE_INVALID', `Cannot accept the signature of an HTTP message: ${why}`)
}
