import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { doneOrAborted, orAborted } from '../../src/abort.ts'

const never = new Promise<never>(() => {})

describe('orAborted()', () => {
  test('is what the promise becomes, and listens to the signal no longer', async () => {
    const { signal } = new AbortController()
    await expect(orAborted(Promise.resolve(1), signal)).resolves.toBe(1)
    await expect(orAborted(Promise.reject(new Error('failed')), signal)).rejects.toThrow('failed')
    expect(getEventListeners(signal, 'abort')).toEqual([])
    await expect(orAborted(Promise.resolve(2), undefined)).resolves.toBe(2)
  })

  test('rejects with the reason of an abort that comes before, or was there from the beginning', async () => {
    const stop = new AbortController()
    const waiting = orAborted(never, stop.signal)
    stop.abort(new Error('stopped'))
    await expect(waiting).rejects.toThrow('stopped')
    await expect(orAborted(never, stop.signal)).rejects.toThrow('stopped')
    await expect(orAborted(Promise.reject(new Error('unheard')), stop.signal)).rejects.toThrow('stopped')
  })
})

test('doneOrAborted() resolves also for an abort, and rejects for nothing else than what it waits for', async () => {
  const stop = new AbortController()
  await expect(doneOrAborted(Promise.reject(new Error('failed')), stop.signal)).rejects.toThrow('failed')
  const waiting = doneOrAborted(never, stop.signal)
  stop.abort(new Error('stopped'))
  await waiting
  await doneOrAborted(never, stop.signal)
})
