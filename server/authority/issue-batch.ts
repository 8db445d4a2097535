import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { AuditEvent } from '../audit/record.ts'
import { checkStillPublished } from './check-still-published.ts'
import type { IssuerDeps } from './issuer-deps.ts'
import type { AuthorityKind } from './make-authority.ts'

interface Draft {
  readonly order: { readonly spiffeId: SpiffeId }
}

/** What SVIDs of one kind are made of. Each step throws a {@link SallyportError} for what it refuses. */
export interface IssueSteps<Order, D extends Draft, Issued extends object> {
  readonly kind: AuthorityKind
  readonly authorityId: string
  /** What is about to be signed, checked. */
  readonly draft: (order: Order, index: number) => D
  /** The facts that the journal keeps of it. */
  readonly event: (draft: D) => AuditEvent
  /** Signs, and checks what was signed. */
  readonly sign: (draft: D) => Promise<Issued>
}

/**
 * Template → check → record beside sign → check → release; one commit of the journal for all of them. Each order has its own result,
 * in order.
 */
export async function issueBatch<Order, D extends Draft, Issued extends object>(
  { store, authorities }: Pick<IssuerDeps, 'store' | 'authorities'>,
  orders: readonly Order[],
  { kind, authorityId, draft, event, sign }: IssueSteps<Order, D, Issued>,
): Promise<(Issued | SallyportError)[]> {
  const drafts = orders.map((order, index) => refusing(() => draft(order, index)))
  const ready = drafts.filter((one): one is D => !(one instanceof SallyportError))
  const events = ready.map(event)
  // Released only when the record is durable: after a crash the journal holds everything that left.
  const [signed] = await Promise.all([
    Promise.all(ready.map((one) => sign(one).catch(refusal))),
    events.length === 0 ? undefined : store.commit({ mutations: [], audit: events }),
  ])
  checkStillPublished(authorities, kind, authorityId)
  const results = signed.values()
  return drafts.map((one) => (one instanceof SallyportError ? one : (results.next().value ?? lost(one))))
}

function refusing<T>(action: () => T): T | SallyportError {
  try {
    return action()
  } catch (error) {
    return refusal(error)
  }
}

/** What was refused is the result of its order; anything else fails all of them. */
function refusal(error: unknown): SallyportError {
  if (error instanceof SallyportError) return error
  throw error
}

const lost = ({ order }: Draft): SallyportError =>
  new SallyportError('INTERNAL', `Cannot issue an SVID for ${order.spiffeId}: its signature was lost`)
