import { describe, expect, test } from 'vitest'
import { printState } from '../../cli/print-end.ts'

describe('printState()', () => {
  test('says who ended it before its time and why', () => {
    const ended = { state: 'revoked', endedBy: 'server', endedReason: 'template db allows 5 minutes at most now' }
    expect(printState(ended)).toBe('revoked by server: template db allows 5 minutes at most now')
  })

  test.for(['live', 'pending', 'ended'])('is the state alone where nobody gave a reason: %s', (state) => {
    expect(printState({ state, endedBy: '', endedReason: '' })).toBe(state)
  })
})
