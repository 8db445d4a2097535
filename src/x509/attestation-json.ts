import * as z from 'zod'
import { SallyportError } from '../errors.ts'

/** Standard base64 with padding, as Go writes bytes in JSON. */
export const base64Field = z.base64().transform((text) => Buffer.from(text, 'base64'))

/**
 * Reads one JSON message of an attestation.
 *
 * @param what names the message, such as `the challenge`
 * @throws {@link SallyportError} `ATTESTATION_INVALID`
 */
export function readAttestationJson<T>(shape: z.ZodType<T>, bytes: Buffer, maxBytes: number, what: string): T {
  if (bytes.length > maxBytes) throw attestationInvalid(`${what} is longer than ${maxBytes} bytes`)
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch {
    // The parser's message quotes what it read, which may be a secret that was sent to the wrong place.
    throw attestationInvalid(`${what} is not JSON`)
  }
  const parsed = shape.safeParse(value)
  if (parsed.success) return parsed.data
  const problem = parsed.error.issues[0]
  throw attestationInvalid(`${what}: ${problem?.path.join('.') ?? ''}: ${problem?.message ?? 'malformed'}`)
}

export const encodeAttestationJson = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

export const attestationInvalid = (why: string): SallyportError =>
  new SallyportError('ATTESTATION_INVALID', `Cannot read attestation: ${why}`)
