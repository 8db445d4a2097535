import { describe, expect, test } from 'vitest'
import { CHECKPOINTS_PER_KEY, keepCheckpoint } from '../../../agent/node/checkpoints.ts'
import type { SavedCheckpoint } from '../../../agent/node/saved-state.ts'
import { silentLog } from '../../../src/log/log.ts'

const beat = (sequence: number, hash = sequence, keyId = 'k') => ({
  epoch: 'e',
  revision: 1,
  serverTime: new Date(),
  keyId,
  checkpoint: { sequence, hash: Buffer.alloc(32, hash) },
  ...{ policyEpoch: 0, policyRevision: 0, fastLaneSequence: 0, isFresh: true },
})

function keeping(...beats: readonly ReturnType<typeof beat>[]) {
  const alarms: string[] = []
  const log = { ...silentLog, error: (_fields: object, sentence: string) => void alarms.push(sentence) }
  let kept: readonly SavedCheckpoint[] = []
  for (const one of beats) kept = keepCheckpoint(kept, one, log)
  return { kept: kept.map(({ keyId, sequence }) => `${keyId}${sequence}`), alarms }
}

describe('keepCheckpoint()', () => {
  test('SE-22 keeps the newest heads, each once', () => {
    const { kept, alarms } = keeping(...Array.from({ length: 100 }, (_, index) => beat(Math.floor(index / 2))))
    expect(kept).toHaveLength(CHECKPOINTS_PER_KEY)
    expect(kept.at(-1)).toBe('k49')
    expect(alarms).toEqual([])
  })

  test('SE-22 a journal that was cut or rewritten raises an alarm, and the evidence stays', () => {
    expect(keeping(beat(5), beat(6), beat(4))).toEqual({ kept: ['k5', 'k6', 'k4'], alarms: [expect.any(String)] })
    expect(keeping(beat(5), beat(5, 99)).alarms).toHaveLength(1)
  })

  test('journals of several servers are kept apart', () => {
    const { kept, alarms } = keeping(beat(50, 1, 'a'), beat(3, 2, 'b'), beat(51, 3, 'a'))
    expect(kept.toSorted()).toEqual(['a50', 'a51', 'b3'])
    expect(alarms).toEqual([])
  })
})
