import { SallyportError } from '../../src/errors.ts'
import type { Place } from './ordered-list.ts'

/** Which part of a list is asked for. */
export interface PageRequest {
  /** 0: everything. */
  readonly size: number
  /** As the page before gave it; empty: from the start. */
  readonly token: string
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Empty at the end. */
  readonly nextToken: string
}

/** The longest page token that is read. */
export const PAGE_TOKEN_MAX_LENGTH = 4096

/** A page token says after which place the next page starts. It is not secret: lists are checked again for each page. */
export function printPageToken(place: Place): string {
  return Buffer.from(`${place.createdAtMs} ${place.id}`).toString('base64url')
}

/**
 * @throws {@link SallyportError} `REQUEST_INVALID`
 */
export function parsePageToken(token: string): Place | undefined {
  if (token === '') return undefined
  if (token.length <= PAGE_TOKEN_MAX_LENGTH) {
    const match = /^(\d{1,16}) (.+)$/s.exec(Buffer.from(token, 'base64url').toString())
    if (match?.[1] !== undefined && match[2] !== undefined) return { createdAtMs: Number(match[1]), id: match[2] }
  }
  throw new SallyportError('REQUEST_INVALID', 'Cannot read the page token: it is not one that this server made', {
    hint: 'Ask for the first page with an empty token.',
  })
}

/** Cuts one page from items that start at the place the token names. */
export function cutPage<T>(items: Iterable<T>, size: number, placeOf: (item: T) => Place): Page<T> {
  const found: T[] = []
  for (const item of items) {
    const last = found.at(-1)
    if (size > 0 && found.length === size && last !== undefined) {
      return { items: found, nextToken: printPageToken(placeOf(last)) }
    }
    found.push(item)
  }
  return { items: found, nextToken: '' }
}
