import {
  bundleOf,
  type Bundle,
  type JwtAuthority,
  type WitAuthority,
  type X509Authority,
} from '../../src/bundle/bundle.ts'
import { OWN_BUNDLE_LIMITS } from '../../src/bundle/bundle-limits.ts'
import { SallyportError } from '../../src/errors.ts'
import { checkPublicKey } from '../../src/key/public-key.ts'
import { jwtAuthorityOf, witAuthorityOf } from '../../src/wire/bundle-message.ts'
import type { Call } from '../../src/wire/call.ts'
import type { AppendBundleRequest } from '../../src/wire/messages/spire-api-server-bundle-v1.ts'
import type { JwtKey, WitKey } from '../../src/wire/messages/spire-api-types.ts'
import { spkiOf } from '../../src/x509/spki.ts'
import { decodeCertificate } from '../../src/x509/decode-certificate.ts'
import { bundleSet } from '../audit/bundle-events.ts'
import { deedOf } from './deed.ts'
import type { RpcDeps } from './rpc-deps.ts'

export interface NewAuthorities {
  readonly x509: readonly X509Authority[]
  readonly jwt: readonly JwtAuthority[]
  readonly wit: readonly WitAuthority[]
}

/** @throws {@link SallyportError} `NOT_READY` before the first authority is published */
export function ownBundle({ authorities }: Pick<RpcDeps, 'authorities'>): Bundle {
  const bundle = authorities.bundle()
  if (bundle.x509Authorities.length > 0) return bundle
  throw new SallyportError('NOT_READY', 'The server has no bundle yet')
}

/** @throws {@link SallyportError} `REQUEST_INVALID` when there is nothing to append, and for what cannot be read */
export function authoritiesOf(request: AppendBundleRequest, deps: RpcDeps): NewAuthorities {
  const x509 = request.x509Authorities.map(({ asn1, tainted }) => {
    const certificate = decodeCertificate(asn1)
    checkPublicKey(certificate)
    return { certificate, tainted }
  })
  const jwt = request.jwtAuthorities.map((key) => newJwtAuthority(key, deps))
  // As SPIRE does, where the operator has not turned them on.
  const isOffered = deps.authorities.offers('wit')
  const wit = isOffered ? request.witAuthorities.map((key) => newWitAuthority(key, deps)) : []
  if (x509.length + jwt.length + wit.length === 0)
    throw new SallyportError('REQUEST_INVALID', 'no authorities to append')
  return { x509, jwt, wit }
}

export const newJwtAuthority = (key: JwtKey, deps: RpcDeps): JwtAuthority =>
  checked(jwtAuthorityOf(key, deps.trustDomain.name), 'JWT', deps)

export const newWitAuthority = (key: WitKey, deps: RpcDeps): WitAuthority =>
  checked(witAuthorityOf(key, deps.trustDomain.name), 'WIT', deps)

function checked(authority: JwtAuthority, kind: 'JWT' | 'WIT', { clock }: RpcDeps): JwtAuthority {
  checkPublicKey(authority)
  if (authority.expiresAt !== undefined && authority.expiresAt <= clock.now()) {
    throw new SallyportError('REQUEST_INVALID', `${kind} authority ${authority.keyId} has expired`)
  }
  return authority
}

/** Adds what is not there yet to the own bundle; one sequence number later it is published. */
export async function appendToOwnBundle(added: NewAuthorities, call: Call, deps: RpcDeps): Promise<Bundle> {
  const audit = [bundleSet(deedOf(call, deps), withAdded(deps.authorities.bundle(), added))]
  return deps.authorities.editBundle((before) => withAdded(before, added), audit)
}

/** The same bundle when everything is there already. */
function withAdded(before: Bundle, { x509, jwt, wit }: NewAuthorities): Bundle {
  const newX509 = x509.filter(
    (one) => !before.x509Authorities.some(({ certificate }) => certificate.der.equals(one.certificate.der)),
  )
  const newJwt = jwt.filter((one) => !before.jwtAuthorities.some((known) => isSameKey(known, one)))
  const newWit = wit.filter((one) => !before.witAuthorities.some((known) => isSameKey(known, one)))
  if (newX509.length + newJwt.length + newWit.length === 0) return before
  const x509Authorities = [...before.x509Authorities, ...newX509]
  const jwtAuthorities = [...before.jwtAuthorities, ...newJwt]
  const witAuthorities = [...before.witAuthorities, ...newWit]
  if (Math.max(x509Authorities.length, jwtAuthorities.length, witAuthorities.length) > OWN_BUNDLE_LIMITS.authorities) {
    throw new SallyportError(
      'BUNDLE_INVALID',
      `Cannot append: more than ${OWN_BUNDLE_LIMITS.authorities} authorities of one kind`,
    )
  }
  return bundleOf({ ...before, x509Authorities, jwtAuthorities, witAuthorities })
}

/** An id that stands for another key already is refused by `bundleOf`: verifiers would take whichever came first. */
const isSameKey = (a: JwtAuthority, b: JwtAuthority): boolean =>
  a.keyId === b.keyId && spkiOf(a.publicKey).equals(spkiOf(b.publicKey))
