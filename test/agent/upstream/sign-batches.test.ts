import { describe, expect, test } from 'vitest'
import { signInBatches as signInBatchesOf } from '../../../agent/upstream/sign-batches.ts'
import { SIGN_BATCH_MAX, type X509SvidOrder } from '../../../agent/upstream/upstream.ts'
import { SallyportError } from '../../../src/errors.ts'
import type { BatchNewX509SvidResponseResult } from '../../../src/wire/messages/spire-api-server-svid-v1.ts'
import { RpcError } from '../../../src/wire/status.ts'

const orders = (count: number): X509SvidOrder[] =>
  Array.from({ length: count }, (_, index) => ({ entryId: `e${index}`, csr: Buffer.from([index & 255]) }))
const signed = (batch: readonly X509SvidOrder[]) =>
  batch.map(({ entryId }) => ({
    status: { code: 0, message: '' },
    svid: { certChain: [Buffer.from(entryId)], id: null, expiresAt: 0, hint: '' },
  }))
const signInBatches = (
  all: readonly X509SvidOrder[],
  send: (batch: readonly X509SvidOrder[]) => Promise<readonly BatchNewX509SvidResponseResult[]>,
) => signInBatchesOf(all, send, ({ certChain }) => (certChain.length === 0 ? undefined : { chain: certChain }))
const names = (results: Awaited<ReturnType<typeof signInBatches>>) =>
  results.map((result) => ('chain' in result ? String(result.chain[0]) : result.refused.message))

describe('signInBatches()', () => {
  test('quirk 44: sends no more than 500 at once and keeps the order', async () => {
    const sizes: number[] = []
    const results = await signInBatches(orders(1201), async (batch) => {
      sizes.push(batch.length)
      return signed(batch)
    })
    expect(sizes).toEqual([SIGN_BATCH_MAX, SIGN_BATCH_MAX, 201])
    expect(names(results)).toEqual(orders(1201).map(({ entryId }) => entryId))
  })

  test('halves a batch that fails until the order that the server chokes on is alone', async () => {
    const results = await signInBatches(orders(8), async (batch) => {
      if (batch.some(({ entryId }) => entryId === 'e5')) throw new RpcError('INTERNAL', 'choked')
      return signed(batch)
    })
    expect(names(results)).toEqual(['e0', 'e1', 'e2', 'e3', 'e4', 'INTERNAL: choked', 'e6', 'e7'])
  })

  test('does not try smaller batches with a server that is away or refuses this agent', async () => {
    for (const error of [
      new SallyportError('UNREACHABLE', 'x'),
      new RpcError('PERMISSION_DENIED', 'no'),
      new RpcError('RESOURCE_EXHAUSTED', 'slower'),
    ]) {
      let calls = 0
      const signing = signInBatches(orders(8), async () => {
        calls++
        throw error
      })
      await expect(signing).rejects.toBe(error)
      expect(calls).toBe(1)
    }
  })

  test('quirk 44: as many answers as orders, each with its own status', async () => {
    const short = await signInBatches(orders(2), async (batch) => signed(batch).slice(1))
    expect(names(short).every((name) => name.includes('answered 1 orders with 0'))).toBe(true)
    const refused = await signInBatches(orders(2), async (batch) => [
      { status: { code: 5, message: 'no such entry' }, svid: null },
      ...signed(batch).slice(1),
    ])
    expect(names(refused)).toEqual(['NOT_FOUND: no such entry', 'e1'])
  })

  test('an answer that is neither an SVID nor a refusal is refused', async () => {
    const [none, empty] = await signInBatches(orders(2), async () => [
      { status: null, svid: null },
      { status: null, svid: { certChain: [], id: null, expiresAt: 0, hint: '' } },
    ])
    expect(names([none!, empty!]).every((name) => name.includes('with no SVID'))).toBe(true)
  })
})
