import { hash } from 'node:crypto'
import { SallyportError } from '../errors.ts'
import type { HeaderFields } from './header-fields.ts'
import { parseDictionary } from './parse-structured-field.ts'
import { isInnerList } from './structured-field.ts'

export const CONTENT_DIGEST_FIELD = 'content-digest'

/** Algorithms of `Content-Digest` that are good enough, by their name there; others say nothing. */
const ALGORITHMS: ReadonlyMap<string, string> = new Map([
  ['sha-256', 'sha256'],
  ['sha-512', 'sha512'],
])

/** @see RFC 9530 §2 */
export function contentDigestOf(body: Uint8Array): string {
  return `sha-256=:${hash('sha256', body, 'buffer').toString('base64')}:`
}

/**
 * Checks that a body is the one that the headers describe: every digest of an algorithm that is known here must match, and one must
 * be there unless the body is empty.
 *
 * @throws {@link SallyportError} `CONTENT_DIGEST_INVALID`, `STRUCTURED_FIELD_INVALID`
 */
export function checkContentDigest(fields: HeaderFields, body: Uint8Array): void {
  const value = fields.combined(CONTENT_DIGEST_FIELD)
  if (value === undefined) {
    if (body.length > 0) throw invalid('it has a body and no Content-Digest')
    return
  }
  const digests = parseDictionary(value, 'Content-Digest')
  let isCompared = false
  for (const [name, member] of digests) {
    const algorithm = ALGORITHMS.get(name)
    if (algorithm === undefined) continue
    if (isInnerList(member) || member.bare.type !== 'bytes') throw invalid(`its digest ${name} is no byte sequence`)
    if (!member.bare.value.equals(hash(algorithm, body, 'buffer'))) throw invalid('its body is another one')
    isCompared = true
  }
  if (!isCompared) throw invalid('its Content-Digest has neither sha-256 nor sha-512')
}

function invalid(why: string): SallyportError {
  return new SallyportError('CONTENT_DIGEST_INVALID', `Cannot accept the body of an HTTP message: ${why}`)
}
