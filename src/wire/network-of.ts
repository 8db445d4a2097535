const MAPPED = '::ffff:'
const GROUPS = 8
const NETWORK_GROUPS = 4

/**
 * What limits count an address as: of IPv6 its network of 64 bits, because who owns one address owns the 2^64 beside it; IPv4, also
 * where it is mapped into IPv6, as it is. Text that is no address is returned as it is.
 *
 * @param address as the operating system prints it
 */
export function networkOf(address: string): string {
  if (address.startsWith(MAPPED) && address.includes('.')) return address.slice(MAPPED.length)
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('::')
  const groups = groupsOf(head)
  if (tail !== undefined) {
    const last = groupsOf(tail)
    groups.push(...Array.from({ length: Math.max(0, GROUPS - groups.length - last.length) }, () => '0'), ...last)
  }
  return `${groups.slice(0, NETWORK_GROUPS).join(':')}::/64`
}

const groupsOf = (text: string): string[] => (text === '' ? [] : text.split(':'))
