import { hash } from 'node:crypto'
import { SallyportError } from '../../src/errors.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import { CERTIFIED_KEYS, checkPublicKey } from '../../src/key/public-key.ts'
import type { Certificate } from '../../src/x509/certificate.ts'
import type { CertificateTemplate } from '../../src/x509/certificate-template.ts'
import { type Csr, verifyCsr } from '../../src/x509/csr.ts'
import { encodeCertificate } from '../../src/x509/encode-certificate.ts'
import { DerError } from '../../src/x509/der.ts'
import { isEmptyName } from '../../src/x509/name.ts'
import type { AuditEvent } from '../audit/record.ts'
import type { IssuanceGate } from '../policy/issuance-gate.ts'
import type { ActiveX509Authority } from './active-authority.ts'
import { checkMaySign } from './check-may-sign.ts'
import { checkSignedAsAsked } from './check-signed.ts'
import { downstreamSubject } from './downstream-subject.ts'
import { issueBatch } from './issue-batch.ts'
import { issueJwtSvid, type JwtOrder } from './issue-jwt-svid.ts'
import { issueWitSvids, type WitOrder } from './issue-wit-svid.ts'
import type { IssuedToken } from './issued-token.ts'
import type { IssuerConfig, IssuerDeps } from './issuer-deps.ts'
import { mintOrder } from './mint-order.ts'
import { serialNumbers, serialTagOf } from './serial-number.ts'
import {
  keyOfOrder,
  type OrderedKey,
  type X509Order,
  type X509Purpose,
  x509SvidTemplate,
} from './x509-svid-template.ts'

/** A signed certificate, released. */
export interface X509Issued {
  readonly spiffeId: SpiffeId
  /** DER, leaf first; never the root. */
  readonly chain: readonly Buffer[]
  readonly certificate: Certificate
  readonly serialNumber: bigint
  readonly notBefore: Date
  readonly expiresAt: Date
  readonly authorityId: string
  readonly hint: string
}

/** Makes SVIDs: template → check → record beside sign → check → release. Who may have which is decided by the callers. */
export interface Issuer {
  /** A batch for workloads: one commit of the journal for all of them. Each order has its own result, in order. */
  issueX509Svids(orders: readonly X509Order[]): Promise<readonly (X509Issued | SallyportError)[]>
  /** For `/spire/agent/…`; throws the refusal. */
  issueAgentSvid(order: X509Order): Promise<X509Issued>
  /** For this server itself. */
  issueServerSvid(spki: Buffer): Promise<X509Issued>
  /** A signing certificate for a server below this one, in the same trust domain. */
  issueDownstreamCa(order: Omit<X509Order, 'spiffeId'>): Promise<X509Issued>
  issueJwtSvid(order: JwtOrder): Promise<IssuedToken>
  /** As {@link issueX509Svids}. */
  issueWitSvids(orders: readonly WitOrder[]): Promise<readonly (IssuedToken | SallyportError)[]>
  /** For an administrator: id, DNS names and subject as the request says, within SPIRE's rules. Checks the request's signature. */
  mintX509Svid(csr: Csr, options: MintOptions): Promise<X509Issued>
  mintJwtSvid(order: Omit<JwtOrder, 'includeJti' | 'entryId' | 'agentId'>): Promise<IssuedToken>
  mintWitSvid(order: Omit<WitOrder, 'entryId' | 'agentId'>): Promise<IssuedToken>
}

export interface MintOptions {
  readonly ttlSeconds?: number | undefined
  readonly callerId?: SpiffeId | string | undefined
}

export function createIssuer(deps: IssuerDeps): Issuer {
  const { config, cryptography } = deps
  const { trustDomain } = config
  const issueOne = async (order: X509Order, purpose: X509Purpose): Promise<X509Issued> => {
    const [result] = await issueX509(deps, [order], purpose)
    if (result === undefined || result instanceof SallyportError) throw result
    return result
  }
  return {
    issueX509Svids: (orders) => issueX509(deps, orders, 'workload'),
    issueAgentSvid: (order) => issueOne(order, 'agent'),
    issueServerSvid: (spki) => issueOne({ spiffeId: SpiffeId.of(trustDomain, '/spire/server'), spki }, 'server'),
    async issueDownstreamCa(order) {
      const { issuer, intermediates } = deps.authorities.activeX509()
      const subject = downstreamSubject(issuer.subject, intermediates.length + 1)
      return await issueOne({ ...order, subject, spiffeId: SpiffeId.of(trustDomain, '') }, 'downstream')
    },
    issueJwtSvid: (order) => issueJwtSvid(deps, order),
    async mintX509Svid(csr, options) {
      const order = mintOrder(csr, trustDomain)
      await verifyCsr(csr, cryptography)
      return await issueOne({ ...order, ...options }, 'workload')
    },
    mintJwtSvid: (order) => issueJwtSvid(deps, order),
    issueWitSvids: (orders) => issueWitSvids(deps, orders),
    async mintWitSvid(order) {
      const [result] = await issueWitSvids(deps, [order])
      if (result === undefined || result instanceof SallyportError) throw result
      return result
    },
  }
}

/** What is about to be signed, checked. */
interface Draft {
  readonly order: X509Order
  readonly key: OrderedKey
  readonly template: CertificateTemplate
}

async function issueX509(
  deps: IssuerDeps,
  orders: readonly X509Order[],
  purpose: X509Purpose,
): Promise<(X509Issued | SallyportError)[]> {
  if (orders.length === 0) return []
  const authority = deps.authorities.activeX509()
  return await issueBatch(deps, orders, {
    kind: 'x509',
    authorityId: authority.authorityId,
    draft: drafting(deps, orders, purpose, authority),
    event: (draft) => issuedEvent(draft, purpose, authority, deps.clock.now()),
    sign: (draft) => sign(draft, authority),
  })
}

/** Pure but for the random numbers: what each order of a batch becomes. */
function drafting(
  { config, clock, random, authorities, gate }: IssuerDeps,
  orders: readonly X509Order[],
  purpose: X509Purpose,
  authority: ActiveX509Authority,
): (order: X509Order, index: number) => Draft {
  const now = clock.now()
  const { notBefore, notAfter } = authority
  const bounds = { trustDomain: config.trustDomain, purpose, notBefore, notAfter }
  const serials = serialNumbers(tagsOf(orders, purpose), random)
  const defaultTtlSeconds = ttlFor(purpose, config)
  return (order, index) =>
    refusingDer(() => {
      const limitSeconds = checkGate(gate, order, purpose)
      const key = keyOfOrder(order)
      checkPublicKey(key, CERTIFIED_KEYS)
      const serialNumber = serials[index] ?? 0n
      const settings = { purpose, now, serialNumber, defaultTtlSeconds, subject: config.subject ?? {} }
      const asked = order.ttlSeconds || defaultTtlSeconds
      const ttlSeconds = limitSeconds === undefined ? order.ttlSeconds : Math.min(asked, limitSeconds)
      const template = x509SvidTemplate({ ...order, ttlSeconds }, key, authority, settings)
      checkMaySign(template, bounds)
      authorities.recordLife(authority.authorityId, template.notAfter)
      return { order, key, template }
    })
}

/**
 * Agents and servers pass: without them nobody would hear of a quarantine. A nested server is as trusted as whoever asks for it.
 *
 * @returns the longest life that policy allows, in seconds
 */
function checkGate(
  gate: IssuanceGate,
  { spiffeId, agentId, callerId }: X509Order,
  purpose: X509Purpose,
): number | undefined {
  if (purpose === 'agent' || purpose === 'server') return undefined
  const holder = purpose === 'downstream' ? callerId : spiffeId
  const refusal = holder instanceof SpiffeId ? gate.refusal(holder, agentId) : undefined
  if (refusal !== undefined) throw refusal
  return purpose === 'workload' ? gate.x509TtlSeconds(spiffeId) : undefined
}

/** Orders of one batch come from one agent as a rule, so its tag is computed once. */
function tagsOf(orders: readonly X509Order[], purpose: X509Purpose): bigint[] {
  const tags = new Map<SpiffeId, bigint>()
  return orders.map(({ agentId, spiffeId }) => {
    const agent = purpose === 'agent' ? spiffeId : agentId
    if (agent === undefined) return 0n
    const tag = tags.get(agent) ?? serialTagOf(agent)
    tags.set(agent, tag)
    return tag
  })
}

function ttlFor(purpose: X509Purpose, config: IssuerConfig): number {
  if (purpose === 'downstream') return config.caTtlSeconds
  return purpose === 'agent' ? config.agentTtlSeconds : config.x509TtlSeconds
}

async function sign({ order, template, key }: Draft, authority: ActiveX509Authority): Promise<X509Issued> {
  const der = await encodeCertificate(template, authority.signer, authority.issuer)
  const certificate = checkSignedAsAsked(der, template, authority.issuer, key)
  const { serialNumber, notBefore, notAfter } = template
  return {
    spiffeId: order.spiffeId,
    chain: [der, ...authority.intermediates],
    certificate,
    serialNumber,
    notBefore,
    expiresAt: notAfter,
    authorityId: authority.authorityId,
    hint: order.hint ?? '',
  }
}

/** The facts that the journal keeps of a certificate. */
function issuedEvent(
  { order, template, key }: Draft,
  purpose: X509Purpose,
  { authorityId }: ActiveX509Authority,
  at: Date,
): AuditEvent {
  return {
    type: purpose === 'downstream' ? 'x509-ca.issued' : 'x509-svid.issued',
    at,
    facts: {
      spiffeId: template.uriSan,
      purpose,
      entryId: order.entryId,
      agentId: order.agentId?.toString(),
      callerId: order.callerId?.toString(),
      serialNumber: template.serialNumber.toString(),
      authorityId,
      notAfter: template.notAfter.toISOString(),
      dnsNames: template.dnsSans.length === 0 ? undefined : template.dnsSans,
      keyHash: hash('sha256', key.spki, 'hex'),
      subject:
        Buffer.isBuffer(template.subject) && !isEmptyName(template.subject)
          ? template.subject.toString('hex')
          : undefined,
    },
  }
}

/** Bytes of the order that are no DER are the order's fault. */
function refusingDer<T>(action: () => T): T {
  try {
    return action()
  } catch (error) {
    if (!(error instanceof DerError)) throw error
    throw new SallyportError('REQUEST_INVALID', `Cannot issue an X509-SVID: ${error.message}`, { cause: error })
  }
}
