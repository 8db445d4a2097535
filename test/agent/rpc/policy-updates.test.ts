import { describe, expect, test } from 'vitest'
import { inMessages, type PolicyNews } from '../../../agent/rpc/policy-updates.ts'
import { encodeMessage } from '../../../src/wire/encode-message.ts'
import { MESSAGE_MAX_BYTES } from '../../../src/wire/frames.ts'
import { policyUpdateType } from '../../../src/wire/messages/sallyport-policy-v1.ts'

const signed = (bytes: number) => ({
  content: Buffer.alloc(bytes),
  signatures: [{ keyId: Buffer.alloc(32), signature: Buffer.alloc(64) }],
})
const news = (fields: Partial<PolicyNews>): PolicyNews => ({
  ...{ slices: [], removedIdentities: [], fastLane: [], lifecycle: null, keys: null },
  ...fields,
})
const MIB = 1024 * 1024

describe('inMessages', () => {
  test('an update that fits is one message', () => {
    const whole = news({ slices: [signed(9)], fastLane: [signed(8)], keys: signed(7), removedIdentities: ['x'] })
    expect([...inMessages(whole)]).toEqual([whole])
    expect([...inMessages(news({}))]).toEqual([news({})])
  })

  test('several slices that each nearly fill a message, behind a full snapshot and many entries, all arrive', () => {
    const slices = [3, 3, 1, 1].map((size) => signed(size * MIB))
    const fastLane = Array.from({ length: 9 }, () => signed(MIB - 1))
    const messages = [...inMessages(news({ slices, fastLane, lifecycle: signed(3 * MIB), keys: signed(64 * 1024) }))]
    for (const message of messages) {
      expect(encodeMessage(policyUpdateType, { ...message, status: null }).length).toBeLessThan(MESSAGE_MAX_BYTES)
    }
    expect(messages.flatMap((message) => message.slices)).toEqual(slices)
    expect(messages.flatMap((message) => message.fastLane)).toEqual(fastLane)
    expect(messages.filter(({ lifecycle }) => lifecycle !== null)).toEqual([messages[0]])
    // Quarantines before the slices that they concern.
    const firstSlice = messages.findIndex((message) => message.slices.length > 0)
    expect(messages.slice(firstSlice + 1).every((message) => message.fastLane.length === 0)).toBe(true)
  })
})
