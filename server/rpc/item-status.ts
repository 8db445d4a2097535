import { SallyportError, type GrpcStatusName } from '../../src/errors.ts'
import type { Log } from '../../src/log/log.ts'
import type { Status } from '../../src/wire/messages/spire-api-types.ts'

/** The numbers that statuses of single items carry, as in gRPC. */
const codes: Readonly<Record<GrpcStatusName | 'OK', number>> = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
}

/** Clients dereference the status of every item, so a success has one too. */
export const OK: Status = { code: 0, message: 'OK' }

/**
 * The status of one item of a batch. What nobody threw on purpose is told to the log and not to the caller.
 */
export function itemStatus(error: unknown, log: Log): Status {
  if (error instanceof SallyportError) return { code: codes[error.row.grpc], message: error.message }
  log.error({ err: error }, 'An item of a batch failed unexpectedly')
  return { code: codes.INTERNAL, message: 'internal error' }
}

/** What was made of an item, or why nothing was. */
export type Item<T> = { readonly value: T } | { readonly error: unknown }

/** Runs a check for each item, so that a bad one does not spoil the others. */
export function eachItem<T, U>(items: readonly T[], action: (item: T, index: number) => U): readonly Item<U>[] {
  return items.map((item, index) => {
    try {
      return { value: action(item, index) }
    } catch (error) {
      return { error }
    }
  })
}
