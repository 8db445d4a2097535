import { randomBytes } from 'node:crypto'
import { SallyportError } from '../errors.ts'
import { parseJws, type ParsedJws, PROOF_TOKEN_HEADER } from '../jws/parse-jws.ts'
import { compactJws } from '../jws/sign-jws.ts'
import { verifyJws } from '../jws/verify-jws.ts'
import type { Cryptography } from '../key/cryptography.ts'
import { threadPoolCryptography } from '../key/thread-pool-cryptography.ts'
import { claimsOfTokens, coveredTokens, problemOfTokens, tokenHash } from './carried-tokens.ts'
import type { HeaderFields } from './header-fields.ts'
import {
  checkProofTimes,
  forAnother,
  PROOF_ID_MAX,
  type ProofLimits,
  type ProvenRequest,
  proofTimes,
  type ProofTiming,
} from './proof.ts'
import type { Addressee } from './target.ts'
import type { WitSvid, WitSvidWithKey } from './wit-svid.ts'

/** Random bytes of a proof's id. */
const PROOF_ID_BYTES = 16

/** What a Workload Proof Token says. */
export interface ProofTokenOrder extends ProofTiming {
  /** Whom it is for: the target URI of the request without query and fragment, or what both sides have agreed on. */
  readonly audience: string
  /** The headers of the request, whose tokens it covers. */
  readonly fields: HeaderFields
  /** Headers besides `Authorization` and `Txn-Token` that carry tokens, in lower case. */
  readonly tokenFields: readonly string[]
  readonly cryptography?: Cryptography | undefined
}

/**
 * Signs a Workload Proof Token: that its sender holds the key of a WIT-SVID, for one request.
 *
 * @throws {@link SallyportError} `WIT_SVID_EXPIRED`: a key is not used beyond the end of its WIT-SVID
 * @see draft-ietf-wimse-wpt-02 §2
 */
export async function signProofToken(svid: WitSvidWithKey, order: ProofTokenOrder): Promise<string> {
  const { cryptography = threadPoolCryptography } = order
  const { expires } = proofTimes(svid, order)
  const payload = {
    aud: order.audience,
    exp: expires,
    jti: randomBytes(PROOF_ID_BYTES).toString('base64url'),
    wth: tokenHash(svid.token),
    ...claimsOfTokens(order.fields, order.tokenFields),
  }
  return compactJws({ alg: svid.algorithm, typ: 'wpt+jwt' }, payload, (signed) =>
    cryptography.sign(svid.algorithm, svid.privateKey, signed, 'ieee-p1363'),
  )
}

/** The request that a proof came with, and what is accepted here. */
export interface ProofTokenCheck extends ProofLimits {
  readonly addressee: Addressee
  /** The path of the request, without query. */
  readonly path: string | undefined
  readonly fields: HeaderFields
  readonly tokenFields: readonly string[]
  readonly cryptography?: Cryptography | undefined
}

/**
 * Checks a Workload Proof Token against a WIT-SVID that was verified before, and the request that both came with.
 *
 * @throws {@link SallyportError} `WIT_PROOF_INVALID`, `WIT_PROOF_EXPIRED`, `WIT_PROOF_AUDIENCE`
 * @see draft-ietf-wimse-wpt-02 §3
 */
export async function checkProofToken(token: string, svid: WitSvid, check: ProofTokenCheck): Promise<ProvenRequest> {
  const jws = readProofToken(token)
  // Before the key is used: a token must not choose how.
  if (jws.algorithm !== svid.algorithm) throw invalid(`it is signed with ${jws.algorithm}, not ${svid.algorithm}`)
  await verifyJws(jws, svid.publicKey, check.cryptography ?? threadPoolCryptography).catch((cause: unknown) => {
    throw invalid('it is not signed with the key of its WIT-SVID', cause)
  })
  const { exp, jti, aud, wth } = jws.payload as Readonly<Record<string, unknown>>
  if (typeof jti !== 'string' || jti === '' || jti.length > PROOF_ID_MAX) throw invalid('it has no "jti"')
  const expiresAt = checkProofTimes({ expires: exp }, check)
  if (!isMeant(aud, check)) throw forAnother(svid)
  if (wth !== tokenHash(svid.token)) throw invalid('it belongs to another WIT-SVID')
  const problem = problemOfTokens(jws.payload, check.fields, check.tokenFields)
  if (problem !== undefined) throw invalid(problem)
  return { proof: 'token', proofId: jti, expiresAt, coveredTokens: coveredTokens(jws.payload), answer: undefined }
}

function isMeant(aud: unknown, { addressee, path }: ProofTokenCheck): boolean {
  const [audience, ...more]: readonly unknown[] = Array.isArray(aud) ? (aud as readonly unknown[]) : [aud]
  return typeof audience === 'string' && more.length === 0 && addressee.isMeant(audience, path)
}

function readProofToken(token: string): ParsedJws {
  try {
    return parseJws(token, PROOF_TOKEN_HEADER)
  } catch (cause) {
    throw invalid(cause instanceof SallyportError ? cause.message : 'it cannot be read', cause)
  }
}

function invalid(why: string, cause?: unknown): SallyportError {
  return new SallyportError(
    'WIT_PROOF_INVALID',
    `Cannot accept a proof of possession: ${why}`,
    cause === undefined ? {} : { cause },
  )
}
