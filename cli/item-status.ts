import { SallyportError, type ErrorCode } from '../src/errors.ts'
import type { Status } from '../src/wire/messages/spire-api-types.ts'

/** gRPC numbers that items of batch calls answer with, as the codes that stand for them on the command line. */
const codes: Readonly<Record<number, ErrorCode>> = {
  3: 'REQUEST_INVALID',
  5: 'ITEM_NOT_FOUND',
  6: 'ITEM_EXISTS',
  9: 'ITEM_IN_USE',
}

/** The code that stands for the refusal of an item. */
export const codeOfItem = (status: Status | undefined): ErrorCode => codes[status?.code ?? 0] ?? 'INTERNAL'

/** Throws when an item of a batch call was refused. */
export function checkStatus(status: Status | null | undefined, hint = ''): void {
  if (status === null || status === undefined || status.code === 0) return
  throw new SallyportError(codeOfItem(status), status.message, hint === '' ? {} : { hint })
}
