/**
 * Decodes base64url without padding (RFC 7515 §2), or says undefined.
 *
 * Node ignores characters that do not belong, takes both alphabets and drops surplus bits, so that many texts would decode to one
 * value; here exactly one does.
 */
export function decodeBase64Url(text: string): Buffer | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return undefined
  const bytes = Buffer.from(text, 'base64url')
  return bytes.toString('base64url') === text ? bytes : undefined
}

/** Decodes standard base64 with padding and without line breaks, or says undefined. */
export function decodeBase64(text: string): Buffer | undefined {
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined
  const bytes = Buffer.from(text, 'base64')
  return bytes.toString('base64') === text ? bytes : undefined
}
