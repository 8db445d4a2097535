import { describe, expect, test } from 'vitest'
import { follow, type PushedState } from '../../../agent/upstream/follow.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { entryToMessage } from '../../../src/wire/entry-message.ts'
import type { AgentMessage } from '../../../src/wire/messages/sallyport-sync-v1.ts'
import { FakeClock, settled } from '../../fakes/fake-clock.ts'
import { functionTransport } from '../../fakes/function-transport.ts'
import { anEntry } from '../../fakes/store-objects.ts'

const options = {
  revision: 3,
  digest: Buffer.from('d'),
  epoch: 'e',
  agentVersion: 'v',
  nonce: Buffer.alloc(32),
  policy: { epoch: 1, revision: 4, slices: [], fastLaneSequence: 9, keysVersion: 1, keyIds: [] },
  staleAfterMs: 15_000,
}

function server(messages: readonly object[], isOpen = true) {
  const received: AgentMessage[] = []
  async function* serve(requests: AsyncIterable<AgentMessage>, { signal }: { readonly signal: AbortSignal }) {
    void (async () => {
      for await (const request of requests) received.push(request)
    })()
    yield* messages
    if (!isOpen) return
    await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(new Error('cancelled'))))
  }
  return { received, transport: functionTransport({ 'sallyport.sync.v1.Sync': { follow: serve } }) }
}

const chunk = (id: string, last: boolean, revision = 5) => ({
  snapshot: {
    revision,
    epoch: 'e',
    entries: [entryToMessage(anEntry(id))],
    bundles: [],
    last,
    digest: Buffer.from('x'),
  },
})

describe('follow()', () => {
  test('says first what the agent holds, then what it acknowledges', async () => {
    const { received, transport } = server([])
    const stream = follow(options, { transport, clock: new FakeClock(), cryptography }, new AbortController().signal)
    const reading = stream.states.next().catch((error: unknown) => error)
    stream.acknowledge(7, Buffer.from('y'))
    await settled()
    expect(received[0]?.hello).toMatchObject({ revision: 3, epoch: 'e', agentVersion: 'v' })
    expect(received[0]?.hello?.policy).toMatchObject({ revision: 4, fastLaneSequence: 9 })
    expect(received[1]?.ack).toEqual({ revision: 7, digest: Buffer.from('y') })
    await Promise.race([reading, settled()])
  })

  test('puts the chunks of a snapshot together, and forgets those of one that was begun anew', async () => {
    const { transport } = server([chunk('old', false, 4), chunk('a', false), chunk('b', true)])
    const stream = follow(options, { transport, clock: new FakeClock(), cryptography }, new AbortController().signal)
    const { value } = (await stream.states.next()) as { value: PushedState & { kind: 'snapshot' } }
    expect(value.entries.map(({ id }) => id)).toEqual(['a', 'b'])
    expect(value.revision).toBe(5)
  })

  test('ends when nothing was heard for three heartbeats, and says so', async () => {
    const clock = new FakeClock()
    const { transport } = server([chunk('a', true)])
    const stream = follow(options, { transport, clock, cryptography }, new AbortController().signal)
    await stream.states.next()
    const next = stream.states.next().catch((error: unknown) => error)
    await clock.advance(14_900)
    expect(await Promise.race([next, Promise.resolve('open')])).toBe('open')
    await clock.advance(200)
    expect(await next).toThrowCode('SERVER_UNREACHABLE', 'Nothing was heard from the server for 15 s')
  })

  test('a stream that the server ends is an error too', async () => {
    const { transport } = server([], false)
    const stream = follow(options, { transport, clock: new FakeClock(), cryptography }, new AbortController().signal)
    await expect(stream.states.next()).rejects.toThrowCode('SERVER_UNREACHABLE', 'ended the push stream')
  })
})
