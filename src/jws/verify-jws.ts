import type { KeyObject } from 'node:crypto'
import { SallyportError } from '../errors.ts'
import type { Cryptography } from '../key/cryptography.ts'
import { checkPublicKey } from '../key/public-key.ts'
import { algorithmProblem, hasSignatureLength } from './jws-algorithm.ts'
import type { ParsedJws } from './parse-jws.ts'

/**
 * Checks the signature of a token against one key. The algorithm must fit the key, so that a token cannot choose how a key is used.
 *
 * @throws {@link SallyportError} `JWS_SIGNATURE_INVALID`, `KEY_REFUSED`
 */
export async function verifyJws(jws: ParsedJws, publicKey: KeyObject, cryptography: Cryptography): Promise<void> {
  const why = algorithmProblem(jws.algorithm, publicKey)
  if (why !== undefined) throw invalid(why)
  checkPublicKey({ publicKey })
  if (!hasSignatureLength(jws.algorithm, jws.signature)) throw invalid(`its length is not that of ${jws.algorithm}`)
  const isSigned = await cryptography.verify(jws.algorithm, publicKey, jws.signed, jws.signature, 'ieee-p1363')
  if (!isSigned) throw invalid('it does not match')
}

function invalid(why: string): SallyportError {
  return new SallyportError('JWS_SIGNATURE_INVALID', `Cannot accept the signature of a token: ${why}`)
}
