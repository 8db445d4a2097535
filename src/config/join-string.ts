import { SallyportError } from '../errors.ts'
import { TrustDomain } from '../id/trust-domain.ts'

/** The longest join string that is read. */
export const JOIN_STRING_MAX_BYTES = 4096

const PREFIX = 'sallyport-join-1.'

/** All that a new node needs to meet its server: what `token create` prints and `agent run --join-file` reads. */
export interface JoinInvitation {
  readonly trustDomain: TrustDomain
  /** host:port */
  readonly serverAddress: string
  /** SHA-256 of the CA certificates (DER) that may have signed the server's SVID. */
  readonly authorityHashes: readonly Buffer[]
  /** The one-time token: a secret. */
  readonly token: string
}

export function printJoinString(invitation: {
  readonly trustDomain: string
  readonly serverAddress: string
  readonly authorityHashes: readonly Uint8Array[]
  readonly token: string
}): string {
  const fields = {
    td: invitation.trustDomain,
    at: invitation.serverAddress,
    ca: invitation.authorityHashes.map((hash) => Buffer.from(hash).toString('base64url')),
    token: invitation.token,
  }
  return `${PREFIX}${Buffer.from(JSON.stringify(fields)).toString('base64url')}`
}

/** Is this meant to be a join string, rather than a token alone? */
export const isJoinString = (text: string): boolean => text.trimStart().startsWith(PREFIX)

/**
 * Reads a join string. Its token never appears in a message.
 *
 * @throws {@link SallyportError} `JOIN_STRING_INVALID`
 */
export function parseJoinString(text: string): JoinInvitation {
  const trimmed = text.trim()
  if (trimmed === '')
    throw invalid('it is empty', 'Make one while the server runs: `sallyport token create > join.txt`.')
  if (trimmed.length > JOIN_STRING_MAX_BYTES) throw invalid(`it is longer than ${JOIN_STRING_MAX_BYTES} bytes`)
  if (!trimmed.startsWith(PREFIX)) throw invalid(`it does not start with ${PREFIX}`)
  const { td, at, ca, token } = decode(trimmed.slice(PREFIX.length))
  if (typeof td !== 'string' || typeof at !== 'string' || typeof token !== 'string' || token === '')
    throw invalid('a field is missing')
  if (!Array.isArray(ca) || ca.length === 0 || !ca.every((hash): hash is string => typeof hash === 'string'))
    throw invalid('the hash of the CA is missing')
  const authorityHashes = ca.map((hash) => Buffer.from(hash, 'base64url'))
  if (authorityHashes.some(({ length }) => length !== 32)) throw invalid('a hash of the CA is not 32 bytes')
  return { trustDomain: TrustDomain.parse(td), serverAddress: at, authorityHashes, token }
}

function decode(base64url: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(base64url, 'base64url').toString('utf8'))
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>
  } catch {
    // Cut off or altered: said below, without the text, which holds a secret.
  }
  throw invalid('it is damaged')
}

function invalid(why: string, hint?: string): SallyportError {
  return new SallyportError(
    'JOIN_STRING_INVALID',
    `Cannot read the join string: ${why}`,
    hint === undefined ? {} : { hint },
  )
}
