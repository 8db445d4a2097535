import { describe, expect, test } from 'vitest'
import { healthOf } from '../../../src/process/readiness.ts'
import { SallyportError } from '../../../src/errors.ts'

const fails = (error: Error) => (): never => {
  throw error
}

describe('healthOf()', () => {
  test('is well when every check is', async () => {
    const health = await healthOf([
      { name: 'a', check: () => undefined },
      { name: 'b', check: () => Promise.resolve() },
    ])
    expect(health).toEqual({ ok: true, checks: { a: 'ok', b: 'ok' } })
  })

  test('rank 21: one that is not says why, but tells strangers nothing that was not meant for them', async () => {
    const health = await healthOf([
      { name: 'a', check: () => undefined },
      { name: 'authority', check: fails(new SallyportError('NOT_READY', 'no authority is published yet')) },
      { name: 'store', check: () => Promise.reject(new Error('EIO at /secret/path')) },
    ])
    expect(health).toEqual({
      ok: false,
      checks: { a: 'ok', authority: 'NOT_READY: no authority is published yet', store: 'failed' },
    })
  })
})
