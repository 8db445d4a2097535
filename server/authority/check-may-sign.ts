import { SallyportError } from '../../src/errors.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { KeyUsage } from '../../src/x509/certificate.ts'
import {
  CA_KEY_USAGE,
  type CertificateTemplate,
  LEAF_EXTENDED_KEY_USAGE,
  LEAF_KEY_USAGE,
} from '../../src/x509/certificate-template.ts'
import type { X509Purpose } from './x509-svid-template.ts'

/** What bounds a signature. */
export interface SigningBounds {
  readonly trustDomain: TrustDomain
  readonly purpose: X509Purpose
  readonly notBefore: Date
  readonly notAfter: Date
}

const SERVER_PATH = '/spire/server'
const SERIAL_NUMBER_LIMIT = 1n << 127n

/**
 * Refuses what this server never signs, whoever asked and whatever went wrong before: a CA bit in a leaf, a foreign trust domain,
 * a reserved path for a workload, a life beyond the authority's, a usage that an SVID does not have.
 *
 * @throws {@link SallyportError} `SIGNING_REFUSED`
 */
export function checkMaySign(template: CertificateTemplate, bounds: SigningBounds): void {
  const why = problemOfId(SpiffeId.parse(template.uriSan), bounds) ?? problemOf(template, bounds)
  if (why === undefined) return
  throw new SallyportError('SIGNING_REFUSED', `Cannot sign a certificate for ${template.uriSan.slice(0, 300)}: ${why}`)
}

/** Why an id may not be given for a purpose. The other half of the rule, for tokens too. */
export function problemOfId(
  id: SpiffeId,
  { trustDomain, purpose }: Pick<SigningBounds, 'trustDomain' | 'purpose'>,
): string | undefined {
  if (!id.isMemberOf(trustDomain)) return `it is not in trust domain ${trustDomain.name}`
  return problemsOfPath[purpose](id)
}

const problemsOfPath: Readonly<Record<X509Purpose, (id: SpiffeId) => string | undefined>> = {
  workload(id) {
    if (id.path === '') return 'it has no path, so it names the trust domain and no workload'
    return id.isReserved ? 'its path is reserved for servers and agents' : undefined
  },
  agent: (id) => (id.isAgent ? undefined : 'it is not the id of an agent'),
  server: (id) => (id.path === SERVER_PATH ? undefined : 'it is not the id of a server'),
  downstream: (id) =>
    id.path === '' ? undefined : 'a signing certificate has the id of its trust domain, without a path',
}

function problemOf(template: CertificateTemplate, { purpose, notBefore, notAfter }: SigningBounds): string | undefined {
  const isCa = purpose === 'downstream'
  if (template.isCa !== isCa) return isCa ? 'it is not a signing certificate' : 'a leaf is never a signing certificate'
  if (template.serialNumber <= 0n || template.serialNumber >= SERIAL_NUMBER_LIMIT)
    return 'its serial number is out of range'
  if (template.notBefore < notBefore) return 'it would be valid before its authority'
  if (template.notAfter > notAfter) return 'it would outlive its authority'
  if (!(template.notBefore < template.notAfter)) return 'it would end before it starts'
  if (!isSame<KeyUsage>(template.keyUsage, isCa ? CA_KEY_USAGE : LEAF_KEY_USAGE)) return 'its key usage is another'
  if (!isSame(template.extendedKeyUsage, isCa ? [] : LEAF_EXTENDED_KEY_USAGE))
    return 'its extended key usage is another'
  if (template.pathLength !== undefined) return 'its path length was not asked for'
  return template.dnsSans.length > 0 && purpose !== 'workload' ? 'only workloads have DNS names' : undefined
}

const isSame = <T>(a: readonly T[], b: readonly T[]): boolean =>
  a === b || (a.length === b.length && a.every((item, index) => item === b[index]))
