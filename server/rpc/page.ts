import { SallyportError } from '../../src/errors.ts'

/** What a caller asks of a long list: `pageSize` 0 is all of it. */
export interface PageRequest {
  readonly pageSize: number
  readonly pageToken: string
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Empty at the end. */
  readonly nextPageToken: string
}

/** The longest key that a page token may hold. */
const TOKEN_MAX_LENGTH = 4096

/**
 * One page of a list that is sorted by key. The token holds the last key that was given out, so that what is added or deleted
 * between two pages moves nothing.
 *
 * @throws {@link SallyportError} `REQUEST_INVALID`
 */
export function pageOf<T>(
  sorted: Iterable<T>,
  keyOf: (item: T) => string,
  { pageSize, pageToken }: PageRequest,
): Page<T> {
  checkPageRequest({ pageSize, pageToken })
  if (pageSize === 0) return { items: [...sorted], nextPageToken: '' }
  const after = pageToken === '' ? undefined : decodePageToken(pageToken)
  const items: T[] = []
  for (const item of sorted) {
    if (after !== undefined && keyOf(item) <= after) continue
    if (items.length === pageSize) return { items, nextPageToken: encodePageToken(keyOf(items.at(-1) ?? item)) }
    items.push(item)
  }
  return { items, nextPageToken: '' }
}

export function checkPageRequest({ pageSize, pageToken }: PageRequest): void {
  if (pageSize < 0) throw new SallyportError('REQUEST_INVALID', 'Cannot list: page_size is negative')
  if (pageToken.length > TOKEN_MAX_LENGTH) throw badToken()
}

export const encodePageToken = (key: string): string => Buffer.from(key, 'utf8').toString('base64url')

/** @throws {@link SallyportError} `REQUEST_INVALID` */
export function decodePageToken(token: string): string {
  if (!/^[A-Za-z0-9_-]+$/.test(token)) throw badToken()
  return Buffer.from(token, 'base64url').toString('utf8')
}

const badToken = (): SallyportError =>
  new SallyportError('REQUEST_INVALID', 'Cannot list: page_token is not one that this server gave out')
