/**
 * The numbers that a serial number as somebody typed it may stand for, likeliest first: decimal as the journal and our logs have
 * it, hex with or without colons as openssl prints it. Digits alone may be either. None: it is no serial number.
 */
export function serialReadings(text: string): bigint[] {
  const bare = text.replaceAll(':', '')
  const isHex = /^[0-9a-f]{1,40}$/i.test(bare)
  return [...(/^\d{1,49}$/.test(text) ? [BigInt(text)] : []), ...(isHex ? [BigInt(`0x${bare}`)] : [])]
}
