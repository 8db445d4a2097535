import { randomFillSync } from 'node:crypto'

const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const TIME_LETTERS = 10
const RANDOM_LETTERS = 16
const POOL_BYTES = 4096

const pool = Buffer.alloc(POOL_BYTES)
let used = POOL_BYTES

/** A name for a decision: 26 letters, the first ten tell the millisecond, so that names sort by time; the rest are random (ULID). */
export function decisionId(nowMs: number): string {
  let time = ''
  for (let left = nowMs, index = 0; index < TIME_LETTERS; index++, left = Math.floor(left / 32)) {
    time = `${ALPHABET[left % 32]}${time}`
  }
  if (used + RANDOM_LETTERS > POOL_BYTES) {
    randomFillSync(pool)
    used = 0
  }
  let random = ''
  for (const byte of pool.subarray(used, used + RANDOM_LETTERS)) random += ALPHABET[byte & 31]
  used += RANDOM_LETTERS
  return time + random
}
