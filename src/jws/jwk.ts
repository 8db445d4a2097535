import { createPublicKey, type KeyObject } from 'node:crypto'
import { SallyportError } from '../errors.ts'
import { checkPublicKey } from '../key/public-key.ts'
import { decodeBase64Url } from './base64.ts'
import type { JsonObject } from './strict-json.ts'

/** A public key as RFC 7517 writes it: only the members that its type requires, then `kid`. */
export interface PublicJwk {
  readonly kty: string
  readonly [member: string]: string
}

/** Members that only a private or shared key has. */
const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k', 'priv'] as const

/** The members that describe a public key, by `kty`, in the order they are written. */
const PUBLIC_MEMBERS: Readonly<Record<string, readonly string[]>> = {
  EC: ['crv', 'x', 'y'],
  RSA: ['n', 'e'],
  OKP: ['crv', 'x'],
}

/** Length of a coordinate in bytes, by curve. */
const CURVE_BYTES: Readonly<Record<string, number>> = { 'P-256': 32, 'P-384': 48, 'P-521': 66 }

/** The longest member of a key, in characters: an RSA modulus of 8,192 bits and some room. */
const MEMBER_MAX = 2048

/**
 * Describes a public key; `kid` is written only when given.
 *
 * @throws {@link SallyportError} `JWK_INVALID` for a kind of key that has no members in this table
 */
export function jwkOf(publicKey: KeyObject, keyId?: string): PublicJwk {
  const exported: Readonly<Record<string, unknown>> = { ...publicKey.export({ format: 'jwk' }) }
  const kty = String(exported['kty'])
  const members = PUBLIC_MEMBERS[kty]
  if (members === undefined) throw invalid(`a key of type ${kty.slice(0, 20)} cannot be published`)
  const described = Object.fromEntries(members.map((member) => [member, String(exported[member])]))
  return { kty, ...described, ...(keyId === undefined ? {} : { kid: keyId }) }
}

/** Is `kty` one that this reader knows at all? Keys of other types are not errors: they belong to readers of the future. */
export function isKnownKeyType(kty: unknown): boolean {
  return typeof kty === 'string' && Object.hasOwn(PUBLIC_MEMBERS, kty)
}

/**
 * Reads the public key of a JWK that verifies tokens: EC or RSA, strong enough, in canonical base64url.
 *
 * @throws {@link SallyportError} `JWK_INVALID`, `KEY_REFUSED`
 */
export function publicKeyOfJwk(jwk: JsonObject): KeyObject {
  const kty = jwk['kty']
  if (kty !== 'EC' && kty !== 'RSA') throw invalid('its "kty" is neither EC nor RSA')
  const leaked = PRIVATE_MEMBERS.find((member) => jwk[member] !== undefined)
  if (leaked !== undefined) throw invalid(`it discloses the private member "${leaked}"`)
  const members = Object.fromEntries((PUBLIC_MEMBERS[kty] ?? []).map((member) => [member, memberOf(jwk, member)]))
  if (kty === 'EC') checkCurve(members)
  const key = keyOf({ kty, ...members })
  checkPublicKey({ publicKey: key })
  return key
}

function memberOf(jwk: JsonObject, member: string): string {
  const value = jwk[member]
  if (typeof value !== 'string' || value === '' || value.length > MEMBER_MAX)
    throw invalid(`its "${member}" is missing`)
  if (member !== 'crv' && decodeBase64Url(value) === undefined) throw invalid(`its "${member}" is not base64url`)
  return value
}

function checkCurve(members: Readonly<Record<string, string>>): void {
  const bytes = CURVE_BYTES[members['crv'] ?? '']
  if (bytes === undefined) throw invalid('its "crv" is not P-256, P-384 or P-521')
  for (const member of ['x', 'y']) {
    if (Buffer.from(members[member] ?? '', 'base64url').length !== bytes)
      throw invalid(`its "${member}" is not ${bytes} bytes`)
  }
}

function keyOf(jwk: { readonly kty: string }): KeyObject {
  try {
    return createPublicKey({ key: { ...jwk }, format: 'jwk' })
  } catch (cause) {
    throw new SallyportError(
      'JWK_INVALID',
      'Cannot read JSON Web Key: it is not a point on its curve or not a number',
      { cause },
    )
  }
}

function invalid(why: string): SallyportError {
  return new SallyportError('JWK_INVALID', `Cannot use JSON Web Key: ${why}`)
}
