import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { KeyType } from '../../src/key/key-type.ts'
import { CA_KEY_USAGE } from '../../src/x509/certificate-template.ts'
import { decodeCertificate } from '../../src/x509/decode-certificate.ts'
import { encodeName, type Name } from '../../src/x509/name.ts'
import { spkiOf, subjectKeyIdOf } from '../../src/x509/spki.ts'
import type { KeyStore, StoredSigner } from '../keys/key-store.ts'
import { makeCaCertificate } from '../pki/ca-certificate.ts'
import type { AuthorityRow } from '../store/store.ts'
import { serialNumbers } from './serial-number.ts'

export type AuthorityKind = AuthorityRow['kind']

/** Everything signed is valid a little earlier, for verifiers whose clocks are behind. */
export const NOT_BEFORE_CUSHION_MS = 10_000

const KEY_ID_CHARACTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const KEY_ID_LENGTH = 32

export interface AuthorityOrder {
  readonly kind: AuthorityKind
  readonly trustDomain: TrustDomain
  readonly serverId: string
  readonly keyType: KeyType
  readonly ttlMs: number
  /** Of the CA certificate; its serial number is added, so that no two authorities share a name. */
  readonly subject: Name
}

export interface AuthorityMaking {
  readonly keys: KeyStore
  readonly clock: Clock
  readonly random: (bytes: number) => Buffer
}

/** Makes the key of a new authority and what it publishes: prepared, and not yet in any bundle. */
export async function makeAuthority(order: AuthorityOrder, deps: AuthorityMaking): Promise<AuthorityRow> {
  const { kind, serverId, keyType, ttlMs } = order
  const keyName = `${kind}-${deps.random(16).toString('hex')}`
  const signer = await deps.keys.generate(keyName, keyType)
  const now = deps.clock.now()
  const notBefore = wholeSeconds(now.getTime() - NOT_BEFORE_CUSHION_MS)
  const notAfter = wholeSeconds(now.getTime() + ttlMs)
  const spki = spkiOf(signer.publicKey)
  const der = kind === 'x509' ? await caCertificateOf(order, signer, { notBefore, notAfter }, deps) : spki
  return {
    serverId,
    kind,
    keyName,
    keyType,
    notBefore,
    notAfter,
    authorityId: kind === 'x509' ? subjectKeyIdOf(spki).toString('hex') : keyIdOf(deps.random),
    state: 'prepared',
    publicDer: [der],
    tainted: false,
    publishedRevision: undefined,
    changedAt: now,
  }
}

export const wholeSeconds = (ms: number): Date => new Date(Math.floor(ms / 1000) * 1000)

async function caCertificateOf(
  order: AuthorityOrder,
  signer: StoredSigner<KeyType>,
  validity: { readonly notBefore: Date; readonly notAfter: Date },
  { random }: AuthorityMaking,
): Promise<Buffer> {
  const [serialNumber = 0n] = serialNumbers([0n], random)
  const subject: Name = { ...order.subject, serialNumber: serialNumber.toString() }
  const { trustDomain } = order
  const der = await makeCaCertificate({ signer, trustDomain, subject, serialNumber, ...validity })
  const made = decodeCertificate(der)
  const isAsAsked =
    made.isCa &&
    made.keyUsage?.size === CA_KEY_USAGE.length &&
    CA_KEY_USAGE.every((usage) => made.keyUsage?.has(usage)) &&
    made.extendedKeyUsage === undefined &&
    made.uriSans.length === 1 &&
    made.uriSans[0] === trustDomain.idString &&
    made.dnsSans.length === 0 &&
    made.serialNumber === serialNumber &&
    made.subject.equals(encodeName(subject)) &&
    made.issuer.equals(made.subject) &&
    made.notBefore.getTime() === validity.notBefore.getTime() &&
    made.notAfter.getTime() === validity.notAfter.getTime() &&
    made.spki.equals(spkiOf(signer.publicKey))
  if (isAsAsked) return der
  throw new SallyportError('SIGNED_OTHERWISE', 'Cannot use the new CA certificate: it does not say what was asked for')
}

/** 32 letters and digits, as SPIRE's key ids are: 190 random bits, so none is ever used twice. */
function keyIdOf(random: (bytes: number) => Buffer): string {
  let id = ''
  while (id.length < KEY_ID_LENGTH) {
    for (const byte of random(KEY_ID_LENGTH)) {
      // Bytes past the last whole run of the alphabet would favour its first letters.
      if (byte < 248 && id.length < KEY_ID_LENGTH) id += KEY_ID_CHARACTERS[byte % KEY_ID_CHARACTERS.length]
    }
  }
  return id
}
