/** An address or a range as 16 bytes; IPv4 is kept as the IPv4-mapped IPv6 that it may also arrive as. */
export interface IpRange {
  readonly bytes: readonly number[]
  /** How many leading bits count. */
  readonly bits: number
}

/** Reads `10.0.0.0/8` or `fd00::/8`; undefined when it is neither. Bits beyond the prefix must be 0. */
export function parseIpRange(text: string): IpRange | undefined {
  const slash = text.indexOf('/')
  const suffix = text.slice(slash + 1)
  if (slash === -1 || !/^(0|[1-9]\d{0,2})$/.test(suffix)) return undefined
  const address = text.slice(0, slash)
  const bytes = parseIp(address)
  if (bytes === undefined) return undefined
  const isShort = !address.includes(':')
  const bits = Number(suffix) + (isShort ? 96 : 0)
  if (bits > 128) return undefined
  const clean = bytes.every((byte, index) => (byte & ~maskOf(bits - 8 * index)) === 0)
  return clean ? { bytes, bits } : undefined
}

export function isInRange(address: readonly number[], { bytes, bits }: IpRange): boolean {
  for (let index = 0; 8 * index < bits; index++) {
    const mask = maskOf(bits - 8 * index)
    if (((address[index] as number) & mask) !== ((bytes[index] as number) & mask)) return false
  }
  return true
}

const maskOf = (bits: number): number => (bits >= 8 ? 0xff : bits <= 0 ? 0 : (0xff << (8 - bits)) & 0xff)

/** The 16 bytes of an address; undefined when the text is none. Zones (`%eth0`) are none. */
export function parseIp(text: string): readonly number[] | undefined {
  if (text.length > 45) return undefined
  if (!text.includes(':')) {
    const bytes = parseIpv4(text)
    return bytes === undefined ? undefined : [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes]
  }
  const halves = text.split('::')
  if (halves.length > 2) return undefined
  const [head, tail] = [bytesOf(halves[0] as string), bytesOf(halves[1] ?? '')]
  if (head === undefined || tail === undefined) return undefined
  const missing = 16 - head.length - tail.length
  if (halves.length === 1 ? missing !== 0 : missing < 2) return undefined
  return [...head, ...Array.from({ length: missing }, () => 0), ...tail]
}

function bytesOf(half: string): number[] | undefined {
  if (half === '') return []
  const groups = half.split(':')
  const bytes: number[] = []
  for (const [index, group] of groups.entries()) {
    const four = index === groups.length - 1 && group.includes('.') ? parseIpv4(group) : undefined
    if (four !== undefined) bytes.push(...four)
    else if (/^[0-9a-fA-F]{1,4}$/.test(group)) bytes.push(parseInt(group, 16) >> 8, parseInt(group, 16) & 0xff)
    else return undefined
  }
  return bytes
}

function parseIpv4(text: string): number[] | undefined {
  const parts = text.split('.')
  if (parts.length !== 4 || !parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256))
    return undefined
  return parts.map(Number)
}
