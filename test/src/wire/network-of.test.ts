import { describe, expect, test } from 'vitest'
import { networkOf } from '../../../src/wire/network-of.ts'

describe('networkOf()', () => {
  test.for([
    ['10.1.2.3', '10.1.2.3'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['2001:db8:1:2:3::', '2001:db8:1:2::/64'],
    ['::1:2:3:4:5', '0:0:0:1::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ['', ''],
  ] as const)('of %s is %s', ([address, network]) => {
    expect(networkOf(address)).toBe(network)
  })
})
