import { SallyportError } from '../../src/errors.ts'
import { dnsNameProblem } from '../../src/entry/dns-name.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { Csr } from '../../src/x509/csr.ts'
import { isEmptyName } from '../../src/x509/name.ts'
import { problemOfId } from './check-may-sign.ts'
import type { X509Order } from './x509-svid-template.ts'

/**
 * What a request of an administrator asks for: the one kind of request whose id, DNS names and subject count.
 *
 * @throws {@link SallyportError} `CSR_INVALID`
 */
export function mintOrder(csr: Csr, trustDomain: TrustDomain): X509Order {
  const spiffeId = idOf(csr)
  const problem = problemOfId(spiffeId, { trustDomain, purpose: 'workload' }) ?? problemOfNames(csr.dnsSans)
  if (problem !== undefined) throw invalid(problem)
  if (csr.isCa) throw invalid('it asks for a signing certificate')
  return {
    spiffeId,
    publicKey: csr.publicKey,
    spki: csr.spki,
    dnsNames: csr.dnsSans,
    subject: isEmptyName(csr.subject) ? undefined : csr.subject,
  }
}

function idOf({ uriSans }: Csr): SpiffeId {
  const [uri] = uriSans
  if (uri === undefined) throw invalid('CSR URI SAN is required')
  if (uriSans.length > 1) throw invalid('only one URI SAN is expected')
  try {
    return SpiffeId.parse(uri)
  } catch (cause) {
    throw invalid('its URI SAN is not a SPIFFE ID', cause)
  }
}

function problemOfNames(names: readonly string[]): string | undefined {
  for (const name of names) {
    const why = dnsNameProblem(name)
    if (why !== undefined) return `its DNS name ${JSON.stringify(name.slice(0, 120))} ${why}`
  }
  // A wildcard beside a name that it covers is a mistake more often than an intention, and SPIRE refuses it too.
  const covered = names.find((name) => !name.startsWith('*.') && names.includes(`*${name.slice(name.indexOf('.'))}`))
  return covered === undefined ? undefined : `a wildcard covers its other DNS name ${JSON.stringify(covered)}`
}

function invalid(why: string, cause?: unknown): SallyportError {
  return new SallyportError('CSR_INVALID', `Cannot mint an X509-SVID: ${why}`, { cause })
}
