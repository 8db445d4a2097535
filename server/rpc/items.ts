import { itemOk, itemStatus } from '../../src/wire/status.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Call } from '../../src/wire/call.ts'
import type { Status } from '../../src/wire/messages/spire-api-types.ts'
import type { Log } from '../../src/log/log.ts'

/** Clients dereference the status of every item, so a success has one too. */
export const OK: Status = itemOk

/** What was made of an item of a batch, or why nothing was. */
export type Item<T> = { readonly value: T } | { readonly error: unknown }

/** Makes something of each item, so that a bad one does not spoil the others. */
export function eachItem<T, U>(items: readonly T[], make: (item: T, index: number) => U): readonly Item<U>[] {
  return items.map((item, index) => {
    try {
      return { value: make(item, index) }
    } catch (error) {
      return { error }
    }
  })
}

/** The code of what was thrown on purpose, which a status has no field for. */
export const codeOf = (error: unknown): string => (error instanceof SallyportError ? error.code : '')

/** The status of an item that failed. What nobody threw on purpose is told to the log and not to the caller. */
export function failedItem(error: unknown, call: Call, log: Log): Status {
  if (!(error instanceof SallyportError)) {
    log.error({ err: error, method: call.method, requestId: call.requestId }, 'An item of a batch failed unexpectedly')
  }
  return itemStatus(error, call.requestId)
}
