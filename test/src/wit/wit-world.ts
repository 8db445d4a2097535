import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { expect } from 'vitest'
import { type Bundle, bundleOf } from '../../../src/bundle/bundle.ts'
import { type BundleSet, bundleSetOf } from '../../../src/bundle/bundle-set.ts'
import { SallyportError } from '../../../src/errors.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { parseWitSvid, type WitSvidWithKey } from '../../../src/wit/wit-svid.ts'

/** Published vectors of WIT-SVIDs, their proofs and HTTP signatures. */
export const vectors = JSON.parse(readFileSync(new URL('../../vectors/wit-vectors.json', import.meta.url), 'utf8')) as {
  readonly project: {
    readonly bundle: { readonly keys: readonly Record<string, string>[] }
    readonly witSvid: string
    readonly jwtSvid: string
    readonly privateKey: Record<string, string>
    readonly proofToken: string
    readonly audience: string
    readonly tokenHash: string
  }
  readonly standard: { readonly witSvid: string }
  readonly wimse: {
    readonly issuerKey: Record<string, string>
    readonly wit: string
    readonly proofToken: string
    readonly tokenHash: string
    readonly accessToken: string
    readonly accessTokenHash: string
  }
  readonly httpSignature: {
    readonly key: Record<string, string>
    readonly method: string
    readonly target: string
    readonly headers: Record<string, string>
    readonly base: string
  }
}

export interface Keys {
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

export const ecKeys = (namedCurve = 'prime256v1'): Keys => generateKeyPairSync('ec', { namedCurve })

/** The moment of the tests. */
export const now = new Date('2026-06-01T12:00:00Z')
export const seconds = now.getTime() / 1000

export const authorityKeys = ecKeys()
export const workloadKeys = ecKeys()

/** A trust domain whose WIT keys these are, by key id. */
export function bundleWith(keys: Readonly<Record<string, KeyObject>>, name = 'example.org'): Bundle {
  return bundleOf({
    trustDomain: TrustDomain.parse(name),
    witAuthorities: Object.entries(keys).map(([keyId, publicKey]) => ({
      keyId,
      publicKey,
      expiresAt: undefined,
      tainted: false,
    })),
  })
}

export const bundles: BundleSet = bundleSetOf([bundleWith({ k1: authorityKeys.publicKey })])

/** What is signed by hand, so that the sources under test do not make their own inputs; ES256. */
export function signedBy({ privateKey }: Keys, header: object, payload: unknown): string {
  const part = (value: unknown): string =>
    Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')
  const signed = `${part(header)}.${part(payload)}`
  const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  return `${signed}.${signature.toString('base64url')}`
}

export const witHeader = { alg: 'ES256', kid: 'k1', typ: 'wit+jwt' }

/** The claims of a good WIT-SVID of an hour. */
export function witClaims({ publicKey }: Keys = workloadKeys, alg = 'ES256'): Record<string, unknown> {
  return {
    sub: 'spiffe://example.org/web',
    exp: seconds + 3600,
    iat: seconds,
    cnf: { jwk: { ...publicKey.export({ format: 'jwk' }), alg } },
  }
}

/** A WIT-SVID, good apart from what changes. */
export const issueWit = (claims: object = {}, header: object = {}, authority = authorityKeys): string =>
  signedBy(authority, { ...witHeader, ...header }, { ...witClaims(), ...claims })

/** A good WIT-SVID with its key. */
export function heldWit(claims: object = {}, keys: Keys = workloadKeys): WitSvidWithKey {
  return { ...parseWitSvid(issueWit({ ...witClaims(keys), ...claims })), privateKey: keys.privateKey }
}

/** Any bytes, as a header brings them. */
export const anyBytes: fc.Arbitrary<string> = fc
  .uint8Array({ minLength: 20, maxLength: 200 })
  .map((bytes) => Buffer.from(bytes).toString('latin1'))

/** Whatever bytes come, they are refused with a SallyportError that does not repeat them. */
export async function refusesAnyBytes(check: (text: string) => Promise<unknown>): Promise<void> {
  await fc.assert(
    fc.asyncProperty(anyBytes, async (text) => {
      const error = await check(text).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(SallyportError)
      expect((error as Error).message).not.toContain(text)
    }),
  )
}
