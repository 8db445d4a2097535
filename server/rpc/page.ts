import { SallyportError } from '../../src/errors.ts'
import type { PageRequest } from '../entries/page.ts'

/**
 * The part of a list that is asked for; `page_size` 0 is all of it.
 *
 * @throws {@link SallyportError} `REQUEST_INVALID`
 */
export function pageOf(pageSize: number, pageToken: string): PageRequest {
  if (pageSize >= 0) return { size: pageSize, token: pageToken }
  throw new SallyportError('REQUEST_INVALID', 'Cannot list: page_size is negative')
}

/** How many are asked for: what was said, at most `most`, or `usual` when nothing was. */
export const limitOf = (asked: number, usual: number, most: number): number =>
  asked <= 0 ? usual : Math.min(asked, most)
