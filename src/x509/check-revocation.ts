import { SallyportError } from '../errors.ts'
import type { Certificate } from './certificate.ts'
import { type Crl, serialKey } from './crl.ts'
import { type Asking, isSignedBy } from './signature-question.ts'

/** Who has signed a list, by the bytes of the key: a list lives long, and is asked about at every connection. */
const signers = new WeakMap<Crl, Map<string, boolean>>()

/**
 * Applies revocation lists to a validated path (leaf to authority). A certificate whose issuer has no list here is not revoked; a
 * list that cannot be relied upon is no reason to accept.
 *
 * @throws {@link SallyportError} `CERTIFICATE_REVOKED`
 * @see RFC 5280 §6.3
 */
export function* checkRevocation(path: readonly Certificate[], crls: readonly Crl[], now: Date): Asking<void> {
  for (const [index, certificate] of path.slice(0, -1).entries()) {
    const issuer = path[index + 1]!
    const place = `certificate ${index + 1}`
    const lists = crls.filter((crl) => isNamedBy(crl, issuer))
    const signed: Crl[] = []
    for (const crl of lists) if (yield* hasSigned(issuer, crl)) signed.push(crl)
    if (lists.length > 0 && signed.length === 0) {
      throw revoked(`no revocation list that names the issuer of ${place} is signed by it`)
    }
    if (signed.some((crl) => crl.revoked.has(serialKey(certificate.serialNumber)))) throw revoked(`${place} is revoked`)
    if (signed.length > 0 && !signed.some((crl) => isCurrent(crl, now))) {
      throw revoked(`the revocation list of the issuer of ${place} is out of date`)
    }
  }
}

function isNamedBy({ issuer, authorityKeyId }: Crl, { subject, subjectKeyId }: Certificate): boolean {
  if (!issuer.equals(subject)) return false
  return authorityKeyId === undefined || subjectKeyId === undefined || authorityKeyId.equals(subjectKeyId)
}

function* hasSigned(issuer: Certificate, crl: Crl): Asking<boolean> {
  if (issuer.keyUsage !== undefined && !issuer.keyUsage.has('cRLSign')) return false
  let known = signers.get(crl)
  if (known === undefined) signers.set(crl, (known = new Map()))
  const key = issuer.spki.toString('latin1')
  let answer = known.get(key)
  if (answer === undefined) known.set(key, (answer = yield* isSignedBy(crl, issuer)))
  return answer
}

const isCurrent = ({ thisUpdate, nextUpdate }: Crl, now: Date): boolean =>
  thisUpdate <= now && (nextUpdate === undefined || now <= nextUpdate)

function revoked(why: string): SallyportError {
  return new SallyportError('CERTIFICATE_REVOKED', `Cannot accept the chain: ${why}`)
}
