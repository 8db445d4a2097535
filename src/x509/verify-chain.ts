import { SallyportError } from '../errors.ts'
import type { Cryptography } from '../key/cryptography.ts'
import { checkPublicKey, type KeyLimits, VERIFIED_KEYS } from '../key/public-key.ts'
import { isSignatureAlgorithm } from '../key/signature-algorithm.ts'
import { verifySignatureNow } from '../key/verify-signature-now.ts'
import type { Certificate } from './certificate.ts'
import { checkRevocation } from './check-revocation.ts'
import type { Crl } from './crl.ts'
import { ANY_PURPOSE_OID, purposeOids } from './extension-oids.ts'
import { type Asking, isSignedBy } from './signature-question.ts'

/** The longest chain that is verified: what clients in other languages read, too (IO-05). */
export const CHAIN_MAX_CERTIFICATES = 16

export interface PathToVerify {
  /** As a peer sent it: the leaf, then each issuer of the one before. A root at the end is passed over. */
  readonly chain: readonly Certificate[]
  /** Where paths may end: the certificates of one trust domain's bundle, self-signed or not. */
  readonly authorities: readonly Certificate[]
  readonly now: Date
  /** Revocation lists to apply. Default: none. */
  readonly crls?: readonly Crl[] | undefined
  /** What the leaf is about to be used for; a certificate without extended key usage is for everything. */
  readonly purpose?: keyof typeof purposeOids
  /** Keys that are accepted in the chain. Default: {@link VERIFIED_KEYS}. */
  readonly keyLimits?: KeyLimits
}

export interface ChainToVerify extends PathToVerify {
  readonly cryptography: Cryptography
}

/**
 * X.509 path validation (RFC 5280 §6): every certificate is in time, signed by the next one with SHA-2 and an accepted
 * key, and every issuer may sign; the path ends at one of the authorities. Knows nothing about SPIFFE IDs.
 *
 * @returns the path, from the leaf to the authority
 * @throws {@link SallyportError} `CERTIFICATE_UNTRUSTED`, `CERTIFICATE_EXPIRED`, `CERTIFICATE_INVALID`,
 *   `CERTIFICATE_REVOKED`, `KEY_REFUSED`
 */
export async function verifyChain(input: ChainToVerify): Promise<readonly Certificate[]> {
  const steps = validatePath(input)
  let step = steps.next()
  while (step.done !== true) {
    const { algorithm, key, data, signature } = step.value
    step = steps.next(await input.cryptography.verify(algorithm, key, data, signature, 'der'))
  }
  return step.value
}

/** {@link verifyChain} in one go, for a moment in which nothing may wait: between a handshake and the first byte. */
export function verifyChainNow(input: PathToVerify): readonly Certificate[] {
  const steps = validatePath(input)
  let step = steps.next()
  while (step.done !== true) {
    const { algorithm, key, data, signature } = step.value
    step = steps.next(verifySignatureNow(algorithm, key, data, signature, 'der'))
  }
  return step.value
}

function* validatePath(input: PathToVerify): Asking<readonly Certificate[]> {
  const { chain, authorities, now } = input
  if (chain.length === 0) throw invalid('it is empty')
  if (chain.length > CHAIN_MAX_CERTIFICATES) throw invalid(`it has more than ${CHAIN_MAX_CERTIFICATES} certificates`)
  const path: Certificate[] = []
  for (const [index, certificate] of chain.entries()) {
    checkWithoutSignature(certificate, index, input)
    const previous = path.at(-1)
    if (previous !== undefined) {
      const why = problemOfIssuer(certificate, path)
      if (why !== undefined) throw invalid(`certificate ${index + 1} ${why}`)
      const isSigned = yield* isSignedBy(previous, certificate)
      if (!isSigned) throw untrusted(`certificate ${index} is not signed by certificate ${index + 1}`)
    }
    path.push(certificate)
    const authority = yield* authorityOf(path, input)
    if (authority !== undefined) {
      const whole = [...path, authority]
      yield* checkRevocation(whole, input.crls ?? [], now)
      return whole
    }
    const next = chain[index + 1]
    if (next === undefined || !isNamedBy(certificate, next)) break
  }
  throw untrusted(reasonWithoutAuthority(path, authorities, now))
}

/** What costs little comes before any signature. What is left of a chain behind its authority is never looked at. */
function checkWithoutSignature(certificate: Certificate, index: number, input: PathToVerify): void {
  const { now, purpose, keyLimits = VERIFIED_KEYS } = input
  const place = `certificate ${index + 1}`
  const late = problemOfTime(certificate, now)
  if (late !== undefined) throw new SallyportError('CERTIFICATE_EXPIRED', `Cannot accept the chain: ${place} ${late}`)
  const [unknown] = certificate.unknownCriticalExtensions
  if (unknown !== undefined) throw invalid(`${place} has the extension ${unknown}, which is not understood`)
  if (!isFor(certificate, purpose)) throw invalid(`${place} is not for ${purpose}`)
  checkPublicKey(certificate, keyLimits)
  if (!isSignatureAlgorithm(certificate.signatureAlgorithm)) {
    throw invalid(`${place} is signed with ${certificate.signatureAlgorithm}, which is not accepted`)
  }
}

function isFor({ extendedKeyUsage }: Certificate, purpose: keyof typeof purposeOids | undefined): boolean {
  if (purpose === undefined || extendedKeyUsage === undefined) return true
  return extendedKeyUsage.includes(purposeOids[purpose]) || extendedKeyUsage.includes(ANY_PURPOSE_OID)
}

function problemOfTime({ notBefore, notAfter }: Certificate, now: Date): string | undefined {
  if (now < notBefore) return `is not valid before ${notBefore.toISOString()}`
  return now > notAfter ? `expired at ${notAfter.toISOString()}` : undefined
}

/** The authority that signed the last certificate of a path. */
function* authorityOf(path: readonly Certificate[], input: PathToVerify): Asking<Certificate | undefined> {
  const { authorities, now, purpose, keyLimits = VERIFIED_KEYS } = input
  const last = path.at(-1)!
  for (const authority of authorities) {
    if (!isNamedBy(last, authority) || problemOfAuthority(authority, path, now) !== undefined) continue
    if (!isFor(authority, purpose)) continue
    checkPublicKey(authority, keyLimits)
    if (yield* isSignedBy(last, authority)) return authority
  }
  return undefined
}

function problemOfAuthority(authority: Certificate, path: readonly Certificate[], now: Date): string | undefined {
  const [unknown] = authority.unknownCriticalExtensions
  if (unknown !== undefined) return `has the extension ${unknown}, which is not understood`
  return problemOfTime(authority, now) ?? problemOfIssuer(authority, path)
}

/** Whether a certificate says that this one issued it. */
function isNamedBy(certificate: Certificate, issuer: Certificate): boolean {
  if (!certificate.issuer.equals(issuer.subject)) return false
  const { authorityKeyId } = certificate
  const { subjectKeyId } = issuer
  return authorityKeyId === undefined || subjectKeyId === undefined || authorityKeyId.equals(subjectKeyId)
}

/** Why a certificate may not have issued the last one of this path. */
function problemOfIssuer(issuer: Certificate, path: readonly Certificate[]): string | undefined {
  if (!issuer.isCa) return 'is not a CA and signed another'
  if (issuer.keyUsage !== undefined && !issuer.keyUsage.has('keyCertSign')) return 'may not sign certificates'
  // Self-issued certificates, as in a change of key, do not count (RFC 5280 §4.2.1.9); the leaf never does.
  const between = path.slice(1).filter(({ issuer: from, subject }) => !from.equals(subject)).length
  const isTooLong = issuer.pathLength !== undefined && between > issuer.pathLength
  return isTooLong ? `allows a path length of ${issuer.pathLength}` : undefined
}

function reasonWithoutAuthority(path: readonly Certificate[], authorities: readonly Certificate[], now: Date): string {
  if (authorities.length === 0) return 'its trust domain has no authorities'
  const named = authorities.find((authority) => isNamedBy(path.at(-1)!, authority))
  if (named === undefined) return 'it does not lead to an authority of its trust domain'
  return `the authority that it names ${problemOfAuthority(named, path, now) ?? 'did not sign it'}`
}

function invalid(why: string): SallyportError {
  return new SallyportError('CERTIFICATE_INVALID', `Cannot accept the chain: ${why}`)
}

function untrusted(why: string): SallyportError {
  return new SallyportError('CERTIFICATE_UNTRUSTED', `Cannot trust the chain: ${why}`)
}
