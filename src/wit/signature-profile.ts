import { SallyportError } from '../errors.ts'
import { CONTENT_DIGEST_FIELD } from './content-digest.ts'
import { WIT_FIELD } from './header-fields.ts'
import { type InnerList, type Item, stringItem } from './structured-field.ts'

export const SIGNATURE_FIELD = 'signature'
export const SIGNATURE_INPUT_FIELD = 'signature-input'
/** The label of the signature, and the tag that says what it is for. */
export const SIGNATURE_LABEL = 'wimse'
export const SIGNATURE_TAG = 'wimse-workload-to-workload'

/** What a signature of a request covers always, and where it is present. */
export const REQUEST_COMPONENTS = ['@method', '@request-target', WIT_FIELD] as const
export const REQUEST_COMPONENTS_IF_PRESENT = [
  'content-type',
  CONTENT_DIGEST_FIELD,
  'authorization',
  'txn-token',
] as const

/** What a signature of a response covers always, and where it is present. */
export const RESPONSE_COMPONENTS = ['@status', '@method;req', '@request-target;req', WIT_FIELD] as const
export const RESPONSE_COMPONENTS_IF_PRESENT = ['content-type', CONTENT_DIGEST_FIELD] as const

/** A component by its name as in the lists above. */
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
