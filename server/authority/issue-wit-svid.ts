import { hash, type KeyObject } from 'node:crypto'
import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import { jwkOf, type PublicJwk } from '../../src/jws/jwk.ts'
import { algorithmProblem, type JwsAlgorithm } from '../../src/jws/jws-algorithm.ts'
import { signJws } from '../../src/jws/sign-jws.ts'
import { checkPublicKey } from '../../src/key/public-key.ts'
import { spkiOf } from '../../src/x509/spki.ts'
import type { AuditEvent } from '../audit/record.ts'
import type { ActiveTokenAuthority } from './active-authority.ts'
import { issueBatch } from './issue-batch.ts'
import { checkTokenId, issuedToken, type IssuedToken, signedOtherwise } from './issued-token.ts'
import type { IssuerConfig, IssuerDeps } from './issuer-deps.ts'
import { checkTtl, validityOf } from './x509-svid-template.ts'

/** Random bytes of the id of a WIT-SVID: no two of a trust domain are the same. */
const TOKEN_ID_BYTES = 16

/** A request for a WIT-SVID; who may ask for what was decided before. */
export interface WitOrder {
  readonly spiffeId: SpiffeId
  /** The workload's own: whoever presents the token proves to hold the other half. */
  readonly publicKey: KeyObject
  /** What the workload will sign its proofs with; it fits the key. */
  readonly algorithm: JwsAlgorithm
  /** 0 or left out: the server's default. Never beyond the authority. */
  readonly ttlSeconds?: number | undefined
  readonly entryId?: string | undefined
  readonly agentId?: SpiffeId | undefined
  readonly callerId?: SpiffeId | string | undefined
  readonly hint?: string | undefined
}

/** The claims of a WIT-SVID. There is no audience: it proves nothing by itself, only with a proof of the key in it. */
export interface WitTemplate {
  readonly sub: string
  readonly cnf: { readonly jwk: PublicJwk }
  readonly iat: number
  readonly exp: number
  readonly jti: string
  readonly iss?: string
}

/** What is about to be signed, checked. */
interface Draft {
  readonly order: WitOrder
  readonly template: WitTemplate
}

/**
 * As for the other SVIDs; one commit of the journal for all of them.
 *
 * @throws {@link SallyportError} `METHOD_UNIMPLEMENTED` where the operator has not turned them on, `NOT_READY`, `AUTHORITY_EXPIRED`
 * @see WIT-SVID.md (Incubating)
 */
export async function issueWitSvids(
  deps: IssuerDeps,
  orders: readonly WitOrder[],
): Promise<(IssuedToken | SallyportError)[]> {
  const authority = deps.authorities.activeWit()
  return await issueBatch(deps, orders, {
    kind: 'wit',
    authorityId: authority.authorityId,
    draft: drafting(deps, authority),
    event: (draft) => issuedEvent(draft, authority, deps.clock.now()),
    sign: (draft) => sign(draft, authority),
  })
}

/** Pure but for the random ids: what each order of a batch becomes. */
function drafting(
  { config, clock, random, authorities, gate }: IssuerDeps,
  authority: ActiveTokenAuthority,
): (order: WitOrder) => Draft {
  const now = clock.now()
  const holders = new Map<string, string>()
  return (order) => {
    const refusal = gate.refusal(order.spiffeId, order.agentId)
    if (refusal !== undefined) throw refusal
    checkWitOrder(order, config.trustDomain, holders)
    const asked = checkTtl(order.ttlSeconds ?? 0) || config.witTtlSeconds
    // It stands for a key for as long as an X509-SVID does, so a zone limits both alike.
    const ttlSeconds = Math.min(asked, gate.x509TtlSeconds(order.spiffeId) ?? asked)
    const jti = random(TOKEN_ID_BYTES).toString('base64url')
    const template = witTemplate({ ...order, ttlSeconds }, authority, now, jti, config)
    authorities.recordLife(authority.authorityId, new Date(template.exp * 1000))
    return { order, template }
  }
}

/**
 * Refuses tokens that no workload may have.
 *
 * @param holders whose keys were seen in this batch: a key belongs to one identity
 */
function checkWitOrder(
  { spiffeId, publicKey, algorithm }: WitOrder,
  trustDomain: TrustDomain,
  holders: Map<string, string>,
): void {
  checkTokenId(spiffeId, trustDomain)
  checkPublicKey({ publicKey })
  const key = keyHashOf(publicKey)
  const holder = holders.get(key) ?? spiffeId.toString()
  holders.set(key, holder)
  const problem =
    algorithmProblem(algorithm, publicKey) ??
    (holder === spiffeId.toString() ? undefined : `its key is that of ${holder} too`)
  if (problem === undefined) return
  throw new SallyportError('REQUEST_INVALID', `Cannot issue a WIT-SVID for ${spiffeId}: ${problem}`)
}

function witTemplate(
  { spiffeId, publicKey, algorithm, ttlSeconds = 0 }: WitOrder,
  authority: ActiveTokenAuthority,
  now: Date,
  jti: string,
  { witIssuer }: IssuerConfig,
): WitTemplate {
  const { notAfter } = validityOf(ttlSeconds, now, authority)
  return {
    sub: spiffeId.toString(),
    cnf: { jwk: { ...jwkOf(publicKey), alg: algorithm } },
    iat: Math.floor(now.getTime() / 1000),
    exp: notAfter.getTime() / 1000,
    jti,
    ...(witIssuer === undefined ? {} : { iss: witIssuer }),
  }
}

async function sign(
  { order, template }: Draft,
  { authorityId: kid, signer, algorithm }: ActiveTokenAuthority,
): Promise<IssuedToken> {
  const token = await signJws({ kid, typ: 'wit+jwt' }, template, signer, algorithm)
  checkWitSigned(token, template, { alg: algorithm, kid, typ: 'wit+jwt' })
  return issuedToken(token, order, template, kid)
}

/** Reads the token back: what left must say what was decided. */
function checkWitSigned(token: string, template: WitTemplate, header: object): void {
  const [readHeader, readPayload] = token.split('.', 2).map((part) => Buffer.from(part, 'base64url').toString())
  if (readHeader === JSON.stringify(header) && readPayload === JSON.stringify(template)) return
  throw signedOtherwise(template)
}

/** The facts that the journal keeps of a token, and never the token. */
function issuedEvent({ order, template }: Draft, { authorityId }: ActiveTokenAuthority, at: Date): AuditEvent {
  return {
    type: 'wit-svid.issued',
    at,
    facts: {
      spiffeId: template.sub,
      entryId: order.entryId,
      agentId: order.agentId?.toString(),
      callerId: order.callerId?.toString(),
      authorityId,
      notAfter: new Date(template.exp * 1000).toISOString(),
      keyHash: keyHashOf(order.publicKey),
      jti: template.jti,
    },
  }
}

const keyHashOf = (publicKey: KeyObject): string => hash('sha256', spkiOf(publicKey), 'hex')
