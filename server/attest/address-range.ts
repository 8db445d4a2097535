import { BlockList, isIP } from 'node:net'
import { SallyportError } from '../../src/errors.ts'

const RANGE_MAX_LENGTH = 64

/**
 * Reads an address or a CIDR such as `10.0.0.0/8` or `fd00::/8`, as a test for addresses.
 *
 * @throws {@link SallyportError} `JOIN_TOKEN_INVALID`
 */
export function parseAddressRange(text: string): (address: string) => boolean {
  const [address = '', prefixText, ...rest] = text.slice(0, RANGE_MAX_LENGTH).split('/')
  const family = isIP(address)
  const widest = family === 4 ? 32 : 128
  const prefix = prefixText === undefined ? widest : /^\d{1,3}$/.test(prefixText) ? Number(prefixText) : NaN
  if (family === 0 || rest.length > 0 || !(prefix <= widest)) {
    throw new SallyportError(
      'JOIN_TOKEN_INVALID',
      `Cannot read address range ${JSON.stringify(text.slice(0, RANGE_MAX_LENGTH))}`,
      {
        hint: 'Write an address or a CIDR such as 10.0.0.0/8 or fd00::/8.',
      },
    )
  }
  const range = new BlockList()
  range.addSubnet(address, prefix, family === 4 ? 'ipv4' : 'ipv6')
  return (candidate) => {
    const plain =
      candidate.toLowerCase().startsWith('::ffff:') && isIP(candidate.slice(7)) === 4 ? candidate.slice(7) : candidate
    const kind = isIP(plain)
    return kind !== 0 && range.check(plain, kind === 4 ? 'ipv4' : 'ipv6')
  }
}
