import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { errorCodes, SallyportError, type ErrorCode } from '../../../src/errors.ts'
import { decodeMessage } from '../../../src/wire/decode-message.ts'
import { encodeMessage } from '../../../src/wire/encode-message.ts'
import { errorInfoType, statusType } from '../../../src/wire/messages/google-rpc.ts'
import {
  fromStatus,
  itemStatus,
  percentDecode,
  percentEncode,
  RpcError,
  statusName,
  statusNumber,
  toStatus,
  typeNameOf,
  type Status,
} from '../../../src/wire/status.ts'

const rebuild = (status: Status): Error => fromStatus(status.number, status.message, (name) => status.trailers[name])

const codes = Object.keys(errorCodes) as ErrorCode[]

describe('statuses', () => {
  test('an error arrives as the same code, message, hint and detail', () => {
    const detail = {
      typeUrl: 'type.googleapis.com/spire.api.types.PermissionDeniedDetails',
      value: Buffer.from([8, 4]),
    }
    const text = fc.string({ unit: 'grapheme', maxLength: 100 })
    fc.assert(
      fc.property(fc.constantFrom(...codes), text, text, fc.boolean(), (code, message, hint, withDetail) => {
        const sent = new SallyportError(code, message, { hint, ...(withDetail ? { detail } : {}) })
        const received = rebuild(toStatus(sent, 'r')) as SallyportError
        expect(received).toBeInstanceOf(SallyportError)
        expect([received.code, received.message, received.hint]).toEqual([
          code,
          message.toWellFormed(),
          hint.toWellFormed(),
        ])
        expect(received.detail).toEqual(withDetail ? detail : undefined)
      }),
    )
  })

  test('GP-01 grpc-status-details-bin holds a google.rpc.Status with the same code and message, and an ErrorInfo', () => {
    const status = toStatus(new SallyportError('KEY_REFUSED', 'Cannot use this key: it is too short'), 'r')
    const bytes = Buffer.from(status.trailers['grpc-status-details-bin']!, 'base64')
    const message = decodeMessage(statusType, bytes)
    expect(message.code).toBe(status.number)
    expect(message.message).toBe(status.message)
    expect(message.details[0]!.type_url).toBe('type.googleapis.com/google.rpc.ErrorInfo')
    const info = decodeMessage(errorInfoType, message.details[0]!.value)
    expect(info).toMatchObject({ reason: 'KEY_REFUSED', domain: 'sallyport' })
  })

  const reasons = ['WORKLOAD_REFERENCE_INVALID', 'WORKLOAD_NOT_FOUND', 'WORKLOAD_NOT_ENTITLED'] as const

  test.for(reasons)('BA-23 %s leaves as an ErrorInfo of spiffe.io, the only one', (reason) => {
    const status = toStatus(new SallyportError(reason, 'Cannot serve the call'), 'r')
    const { details } = decodeMessage(statusType, Buffer.from(status.trailers['grpc-status-details-bin']!, 'base64'))
    expect(details).toHaveLength(1)
    expect(decodeMessage(errorInfoType, details[0]!.value)).toEqual({ reason, domain: 'spiffe.io', metadata: {} })
    expect(status.name).toBe(
      { INVALID: 'INVALID_ARGUMENT', FOUND: 'NOT_FOUND', ENTITLED: 'PERMISSION_DENIED' }[reason.split('_').at(-1)!],
    )
  })

  test('BA-23 BA-24 a reason of spiffe.io from any agent is understood, with the status that belongs to it and no other', () => {
    const answered = (number: number, reason: string, domain: string): Error => {
      const value = encodeMessage(errorInfoType, { reason, domain, metadata: { pid: '7' } })
      const details = [{ type_url: 'x/google.rpc.ErrorInfo', value }]
      const trailer = encodeMessage(statusType, { code: number, message: 'm', details }).toString('base64')
      return fromStatus(number, 'm', (name) => (name === 'grpc-status-details-bin' ? trailer : undefined))
    }
    expect(answered(5, 'WORKLOAD_NOT_FOUND', 'spiffe.io')).toThrowCode('WORKLOAD_NOT_FOUND', 'm')
    expect(answered(7, 'WORKLOAD_NOT_ENTITLED', 'spiffe.io')).toThrowCode('WORKLOAD_NOT_ENTITLED', 'm')
    expect(answered(14, 'WORKLOAD_NOT_FOUND', 'spiffe.io')).toMatchObject({ grpc: 'UNAVAILABLE' })
    expect(answered(14, 'WORKLOAD_NOT_FOUND', 'spiffe.io')).toBeInstanceOf(RpcError)
    expect(answered(5, 'WORKLOAD_NOT_FOUND', 'example.com')).toBeInstanceOf(RpcError)
    expect(answered(7, 'NO_IDENTITY', 'spiffe.io')).toBeInstanceOf(RpcError)
    expect(fromStatus(5, 'm', () => undefined)).toMatchObject({ grpc: 'NOT_FOUND', details: 'm' })
  })

  test('GP-02 types are compared by what follows the last slash', () => {
    expect(typeNameOf('x/spiffe.broker.WorkloadPIDReference')).toBe('spiffe.broker.WorkloadPIDReference')
    expect(typeNameOf('type.googleapis.com/a.B')).toBe(typeNameOf('a.B'))
  })

  test('what was not thrown on purpose says nothing but the request id', () => {
    const status = toStatus(new TypeError('password is hunter2'), 'abc-7')
    expect(status).toMatchObject({ number: 13, name: 'INTERNAL', message: 'internal error (request id abc-7)' })
    expect(JSON.stringify(status)).not.toContain('hunter2')
    expect(itemStatus(new Error('hunter2'), 'abc-7')).toEqual({
      code: 13,
      message: 'internal error (request id abc-7)',
    })
  })

  test('quirk 4: message and trailers stay under 8 KiB, whatever they say', () => {
    const anything = fc.string({ unit: 'binary', maxLength: 20_000, size: 'max' })
    fc.assert(
      fc.property(anything, anything, fc.uint8Array({ maxLength: 8000, size: 'max' }), (message, hint, value) => {
        const status = toStatus(
          new SallyportError('INTERNAL', message, { hint, detail: { typeUrl: 'a/b', value } }),
          'r',
        )
        const fields = { 'grpc-status': '13', 'grpc-message': percentEncode(status.message), ...status.trailers }
        const bytes = Object.entries(fields).reduce((sum, [name, text]) => sum + name.length + text.length + 32, 0)
        expect(bytes).toBeLessThan(8192)
        for (const text of Object.values(fields)) expect(text).toMatch(/^[ -~]*$/)
      }),
      { numRuns: 50 },
    )
  })

  test('an error of a foreign process stays what it was', () => {
    const detail = { typeUrl: 'type.googleapis.com/x.Y', value: Buffer.from('z') }
    const received = rebuild(toStatus(new RpcError('NOT_FOUND', 'no such thing', detail), 'r')) as RpcError
    expect(received).toBeInstanceOf(RpcError)
    expect(received).toMatchObject({ grpc: 'NOT_FOUND', details: 'no such thing', detail })
  })

  test('a code that this version does not know, or hostile details, become a plain status', () => {
    expect(fromStatus(5, 'x', (name) => (name === 'sallyport-code' ? '__proto__' : undefined))).toBeInstanceOf(RpcError)
    expect(fromStatus(5, 'x', (name) => (name === 'grpc-status-details-bin' ? '//8=' : undefined))).toBeInstanceOf(
      RpcError,
    )
    expect((fromStatus(99, 'x', () => undefined) as RpcError).grpc).toBe('UNKNOWN')
  })

  test('names and numbers are each other', () => {
    for (const number of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14, 16])
      expect(statusNumber(statusName(number))).toBe(number)
  })
})

describe('percent-encoding', () => {
  test('is read back', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: 'grapheme' }),
        (text) => percentDecode(percentEncode(text)) === text.toWellFormed(),
      ),
    )
  })
  test('leaves what is not encoded', () => {
    expect(percentDecode('100% of %zz %41')).toBe('100% of %zz A')
  })
})
