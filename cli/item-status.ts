import { errorCodes, SallyportError, type ErrorCode } from '../src/errors.ts'
import type { Status } from '../src/wire/messages/spire-api-types.ts'

/** gRPC numbers that items of batch calls answer with, as the codes that stand for them on the command line. */
const codes: Readonly<Record<number, ErrorCode>> = {
  3: 'REQUEST_INVALID',
  5: 'ITEM_NOT_FOUND',
  6: 'ITEM_EXISTS',
  9: 'ITEM_IN_USE',
}

const FAILED_PRECONDITION = 9

/**
 * The code that stands for the refusal of an item.
 *
 * @param said what the server calls it, where the call has a field for it
 */
export function codeOfItem(status: Status | undefined, said = ''): ErrorCode {
  const number = status?.code ?? 0
  // One number for everything that stands in the way.
  if (number === FAILED_PRECONDITION && Object.hasOwn(errorCodes, said)) return said as ErrorCode
  return codes[number] ?? 'INTERNAL'
}

/** Throws when an item of a batch call was refused. */
export function checkStatus(status: Status | null | undefined, hint = '', said = ''): void {
  if (status === null || status === undefined || status.code === 0) return
  throw new SallyportError(codeOfItem(status, said), status.message, hint === '' ? {} : { hint })
}
