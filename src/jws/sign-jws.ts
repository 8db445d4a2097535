import { SallyportError } from '../errors.ts'
import type { SignatureAlgorithm, Signer } from '../key/cryptography.ts'
import { algorithmProblem, isJwsAlgorithm } from './jws-algorithm.ts'

/** What a signed token says about itself besides its algorithm. Clients refuse anything more. */
export interface JwsHeader {
  readonly kid: string
  readonly typ: 'JWT' | 'JOSE' | 'wit+jwt'
}

/**
 * Signs a payload as JWS compact serialization. The header holds `alg`, `kid` and `typ` and nothing else.
 *
 * @throws {@link SallyportError} `JWS_INVALID` when the algorithm is not one of an SVID or does not fit the key
 * @see JWT-SVID.md §2, WIT-SVID.md §2
 */
export async function signJws(
  header: JwsHeader,
  payload: object,
  signer: Signer,
  algorithm: SignatureAlgorithm,
): Promise<string> {
  const why = !isJwsAlgorithm(algorithm)
    ? `no SVID is signed with ${algorithm}`
    : header.kid === ''
      ? 'the key id is empty'
      : algorithmProblem(algorithm, signer.publicKey)
  if (why !== undefined) throw new SallyportError('JWS_INVALID', `Cannot sign token: ${why}`)
  return compactJws({ alg: algorithm, kid: header.kid, typ: header.typ }, payload, (signed) =>
    signer.sign(algorithm, signed, 'ieee-p1363'),
  )
}

/**
 * Puts a token together of a header that is complete, a payload, and what `sign` makes of both.
 *
 * @see RFC 7515 §7.1
 */
export async function compactJws(
  header: object,
  payload: object,
  sign: (signed: Buffer) => Promise<Buffer>,
): Promise<string> {
  const signed = `${segment(header)}.${segment(payload)}`
  return `${signed}.${(await sign(Buffer.from(signed))).toString('base64url')}`
}

const segment = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
