import type { KeyObject } from 'node:crypto'
import { SallyportError } from '../errors.ts'
import { namedCurveOf } from './named-curve.ts'

/** Which public keys are good enough for something. */
export interface KeyLimits {
  readonly minRsaBits: number
  readonly maxRsaBits: number
  readonly curves: readonly string[]
}

/** Keys that Sallyport certifies: what every SPIFFE client can use. */
export const CERTIFIED_KEYS: KeyLimits = {
  minRsaBits: 2048,
  maxRsaBits: 4096,
  curves: ['prime256v1', 'secp384r1'],
}

/** Keys that signatures of others are verified with. */
export const VERIFIED_KEYS: KeyLimits = {
  minRsaBits: 2048,
  maxRsaBits: 4096,
  curves: ['prime256v1', 'secp384r1', 'secp521r1'],
}

/** A public key, as a certificate, a signing request or an authority holds one. */
export interface CheckedKey {
  readonly publicKey: KeyObject
  /** The SubjectPublicKeyInfo that it was read from. The curve is taken from it, because to ask OpenSSL for it takes longer. */
  readonly spki?: Buffer | undefined
}

const RSA_EXPONENT = 65537n

/**
 * Refuses weak and hostile keys. It comes before any signature is verified: a 16,384-bit RSA key or a huge exponent
 * costs the verifier thousands of times what it costs the sender.
 *
 * @throws {@link SallyportError} `KEY_REFUSED`
 */
export function checkPublicKey(key: CheckedKey, limits: KeyLimits = VERIFIED_KEYS): void {
  const why = problemOf(key, limits)
  if (why !== undefined) throw new SallyportError('KEY_REFUSED', `Cannot accept the public key: ${why}`)
}

function problemOf({ publicKey: key, spki }: CheckedKey, limits: KeyLimits): string | undefined {
  if (key.asymmetricKeyType === 'ec') {
    const curve = (spki && namedCurveOf(spki)) ?? key.asymmetricKeyDetails?.namedCurve
    return curve !== undefined && limits.curves.includes(curve)
      ? undefined
      : `the curve ${curve ?? 'without name'} is not accepted`
  }
  if (key.asymmetricKeyType === 'rsa') {
    const { modulusLength = 0, publicExponent } = key.asymmetricKeyDetails ?? {}
    if (modulusLength < limits.minRsaBits)
      return `RSA of ${modulusLength} bits, at least ${limits.minRsaBits} are needed`
    if (modulusLength > limits.maxRsaBits)
      return `RSA of ${modulusLength} bits, at most ${limits.maxRsaBits} are accepted`
    return publicExponent === RSA_EXPONENT ? undefined : 'its RSA exponent is not 65537'
  }
  return `keys of type ${key.asymmetricKeyType ?? 'secret'} are not accepted`
}
