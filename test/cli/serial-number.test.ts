import { describe, expect, test } from 'vitest'
import { serialReadings } from '../../cli/serial-number.ts'

describe('serialReadings()', () => {
  test.for([
    ['12', [12n, 0x12n]],
    ['4f:91:0c', [0x4f910cn]],
    ['4F910C', [0x4f910cn]],
    ['9'.repeat(45), [BigInt('9'.repeat(45))]],
    ['', []],
    ['0x12', []],
    ['f'.repeat(41), []],
  ] as const)('reads %s as decimal, as hex or as both', ([text, readings]) => {
    expect(serialReadings(text)).toEqual(readings)
  })
})
