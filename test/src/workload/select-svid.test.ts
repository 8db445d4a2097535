import { describe, expect, test } from 'vitest'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import { selectSvid } from '../../../src/workload/select-svid.ts'

const svid = (path: string, hint = '', serial = 0) => ({ spiffeId: SpiffeId.parse(`spiffe://td${path}`), hint, serial })
const held = [svid('/a'), svid('/b', 'internal', 1), svid('/c', 'internal', 2)]

describe('selectSvid()', () => {
  test('WA-18 the default is the first', () => {
    expect(selectSvid(held)).toBe(held[0])
  })

  test('WA-16 of two with one hint the first counts', () => {
    expect(selectSvid(held, { hint: 'internal' })).toBe(held[1])
  })

  test('WA-19 selects by id', () => {
    expect(selectSvid(held, { spiffeId: SpiffeId.parse('spiffe://td/c') })).toBe(held[2])
  })

  test.for([
    { hint: 'external' },
    { spiffeId: SpiffeId.parse('spiffe://td/x') },
    { spiffeId: SpiffeId.parse('spiffe://td/a'), hint: 'internal' },
  ])('WA-19 never falls back to the default: %o', (choice) => {
    expect(() => selectSvid(held, choice)).toThrowCode('IDENTITY_NOT_HELD')
  })

  test('nothing held is nothing selected', () => {
    expect(() => selectSvid([])).toThrowCode('IDENTITY_NOT_HELD')
  })
})
