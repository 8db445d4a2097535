import { randomFillSync } from 'node:crypto'

const ALPHABET = Buffer.from('0123456789ABCDEFGHJKMNPQRSTVWXYZ', 'latin1')
const TIME_LETTERS = 10
const RANDOM_LETTERS = 16
const POOL_BYTES = 4096

const pool = Buffer.alloc(POOL_BYTES)
let used = POOL_BYTES

/** Where a name is put together: a string that grew letter by letter would take twenty times the memory. */
const letters = Buffer.alloc(TIME_LETTERS + RANDOM_LETTERS)
let timeOfLettersMs = -1

/** A name for a decision: 26 letters, the first ten tell the millisecond, so that names sort by time; the rest are random (ULID). */
export function decisionId(nowMs: number): string {
  if (nowMs !== timeOfLettersMs) writeTime(nowMs)
  if (used + RANDOM_LETTERS > POOL_BYTES) {
    randomFillSync(pool)
    used = 0
  }
  for (let index = 0; index < RANDOM_LETTERS; index++) {
    letters[TIME_LETTERS + index] = letterOf(pool[used++] as number)
  }
  return letters.toString('latin1')
}

function writeTime(nowMs: number): void {
  timeOfLettersMs = nowMs
  for (let left = nowMs, index = TIME_LETTERS - 1; index >= 0; index--, left = Math.floor(left / 32)) {
    letters[index] = letterOf(left % 32)
  }
}

const letterOf = (bits: number): number => ALPHABET[bits & 31] as number
