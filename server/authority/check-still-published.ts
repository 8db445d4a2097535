import { SallyportError } from '../../src/errors.ts'
import type { Authorities } from './authorities.ts'
import type { AuthorityKind } from './make-authority.ts'

/**
 * A revocation that came while signing: nobody would accept what was signed, so it is not released.
 *
 * @throws {@link SallyportError} `NOT_READY`
 */
export function checkStillPublished(
  authorities: Pick<Authorities, 'isPublished'>,
  kind: AuthorityKind,
  authorityId: string,
): void {
  if (authorities.isPublished(kind, authorityId)) return
  throw new SallyportError('NOT_READY', `Cannot issue: authority ${authorityId} was revoked while it signed`)
}
