import type { KeyObject } from 'node:crypto'
import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import {
  CA_KEY_USAGE,
  type CertificateTemplate,
  LEAF_EXTENDED_KEY_USAGE,
  LEAF_KEY_USAGE,
} from '../../src/x509/certificate-template.ts'
import type { Name } from '../../src/x509/name.ts'
import { publicKeyOfSpki, spkiOf } from '../../src/x509/spki.ts'
import type { ActiveX509Authority } from './active-authority.ts'
import { NOT_BEFORE_CUSHION_MS, wholeSeconds } from './make-authority.ts'

/** A request for a certificate; who may ask for what was decided before. */
export interface X509Order {
  readonly spiffeId: SpiffeId
  /** The key that the requester has proved to hold (`verifyCsr`). At least one of the two; both are fastest, as a `Csr` has them. */
  readonly publicKey?: KeyObject | undefined
  /** Its SubjectPublicKeyInfo, DER. */
  readonly spki?: Buffer | undefined
  readonly dnsNames?: readonly string[] | undefined
  /** 0 or left out: the server's default. Never beyond the authority. */
  readonly ttlSeconds?: number | undefined
  /** DER of a name; by default the subject is what the configuration says, usually empty. */
  readonly subject?: Buffer | undefined
  readonly entryId?: string | undefined
  /** The agent that asks, whose tag the serial number carries. */
  readonly agentId?: SpiffeId | undefined
  /** Who asks when no agent does. */
  readonly callerId?: SpiffeId | string | undefined
  readonly hint?: string | undefined
}

/** The public key of an order in both forms. */
export interface OrderedKey {
  readonly publicKey: KeyObject
  readonly spki: Buffer
}

/** What a certificate of this server is for; each has ids of its own. */
export type X509Purpose = 'workload' | 'agent' | 'server' | 'downstream'

/**
 * The key of an order.
 *
 * @throws {@link SallyportError} `REQUEST_INVALID`
 */
export function keyOfOrder({ publicKey, spki, spiffeId }: X509Order): OrderedKey {
  if (publicKey !== undefined) return { publicKey, spki: spki ?? spkiOf(publicKey) }
  if (spki !== undefined) return { publicKey: publicKeyOfSpki(spki), spki }
  throw new SallyportError('REQUEST_INVALID', `Cannot issue an X509-SVID for ${spiffeId}: there is no public key`)
}

export interface TemplateSettings {
  readonly purpose: X509Purpose
  readonly now: Date
  readonly serialNumber: bigint
  readonly defaultTtlSeconds: number
  readonly subject: Name | Buffer
}

/** What the certificate will say: a pure function of the order and the moment. Whole seconds, as certificates hold them. */
export function x509SvidTemplate(
  { spiffeId, dnsNames, ttlSeconds = 0, subject }: X509Order,
  { spki }: OrderedKey,
  authority: Pick<ActiveX509Authority, 'notBefore' | 'notAfter'>,
  settings: TemplateSettings,
): CertificateTemplate {
  const isCa = settings.purpose === 'downstream'
  const { notBefore, notAfter } = validityOf(
    checkTtl(ttlSeconds) || settings.defaultTtlSeconds,
    settings.now,
    authority,
  )
  return {
    serialNumber: settings.serialNumber,
    subject: subject ?? settings.subject,
    notBefore,
    notAfter,
    publicKey: spki,
    uriSan: spiffeId.toString(),
    dnsSans: dnsNames ?? [],
    isCa,
    keyUsage: isCa ? CA_KEY_USAGE : LEAF_KEY_USAGE,
    extendedKeyUsage: isCa ? [] : LEAF_EXTENDED_KEY_USAGE,
  }
}

/**
 * From a little before now to the end of the life asked for, or of the authority, whichever comes first.
 *
 * @throws {@link SallyportError} `AUTHORITY_EXPIRED` when nothing is left
 */
export function validityOf(
  ttlSeconds: number,
  now: Date,
  authority: Pick<ActiveX509Authority, 'notBefore' | 'notAfter'>,
): { readonly notBefore: Date; readonly notAfter: Date } {
  const nowMs = now.getTime()
  const notBefore = wholeSeconds(Math.max(nowMs - NOT_BEFORE_CUSHION_MS, authority.notBefore.getTime()))
  const notAfter = wholeSeconds(Math.min(nowMs + ttlSeconds * 1000, authority.notAfter.getTime()))
  if (notAfter.getTime() > nowMs) return { notBefore, notAfter }
  throw new SallyportError(
    'AUTHORITY_EXPIRED',
    `Cannot sign: the authority ends at ${authority.notAfter.toISOString()}`,
  )
}

/**
 * Refuses lives that are no whole number of seconds.
 *
 * @throws {@link SallyportError} `REQUEST_INVALID`
 */
export function checkTtl(ttlSeconds: number): number {
  if (Number.isSafeInteger(ttlSeconds) && ttlSeconds >= 0) return ttlSeconds
  throw new SallyportError('REQUEST_INVALID', `Cannot use a life of ${ttlSeconds} seconds: not a whole number from 0`)
}
