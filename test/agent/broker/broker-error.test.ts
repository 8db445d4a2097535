import { describe, expect, test } from 'vitest'
import { brokerError } from '../../../agent/broker/broker-error.ts'
import { errorCodes, SallyportError, type ErrorCode } from '../../../src/errors.ts'
import { FakeProcess } from '../rpc/broker-world.ts'

const alive = new FakeProcess(7, 1000).open()
const ending = new FakeProcess(8, 1000)
const gone = ending.open()
ending.exit()

describe('brokerError()', () => {
  test.for(['NO_IDENTITY', 'IDENTITY_WITHHELD'] as const)(
    'BA-23 %s is one reason to a broker, in our words',
    (code) => {
      const error = new SallyportError(code, 'nothing for process 7', { hint: 'do this' })
      expect(brokerError(error, alive)).toMatchObject({
        ...{ code: 'WORKLOAD_NOT_ENTITLED', message: 'nothing for process 7', hint: 'do this' },
      })
    },
  )

  const aboutProcess = ['PROCESS_REFUSED', 'WORKLOAD_CHANGED', 'CALLER_CHANGED', 'WORKLOAD_ATTESTATION_FAILED'] as const

  test.for(aboutProcess)(
    'BA-27 %s is NOT_FOUND of a process that has ended, and UNAVAILABLE of one that lives',
    (code) => {
      const error = new SallyportError(code, 'cannot look at it')
      expect(brokerError(error, gone)).toMatchObject({ code: 'WORKLOAD_NOT_FOUND', row: { grpc: 'NOT_FOUND' } })
      expect(brokerError(error, alive)).toMatchObject({ row: { grpc: 'UNAVAILABLE' }, message: 'cannot look at it' })
      expect(brokerError(error)).toMatchObject({ row: { grpc: 'UNAVAILABLE' } })
    },
  )

  test('BA-23 a PERMISSION_DENIED without the reason of the standard is about the broker and nothing else', () => {
    const codes = (Object.keys(errorCodes) as ErrorCode[]).filter(
      (code) => errorCodes[code].grpc === 'PERMISSION_DENIED',
    )
    const thrownAboutWorkloads = codes.filter((code) => /^(NO_IDENTITY|IDENTITY|WORKLOAD|PROCESS|CALLER)_?/.test(code))
    expect(thrownAboutWorkloads.length).toBeGreaterThan(3)
    for (const code of thrownAboutWorkloads) {
      const told = brokerError(new SallyportError(code, 'x'), alive) as SallyportError
      expect(told.code === 'WORKLOAD_NOT_ENTITLED' || told.row.grpc === 'UNAVAILABLE', code).toBe(true)
    }
  })

  test('leaves everything else as it is', () => {
    const errors = [
      new TypeError('x'),
      new SallyportError('BROKER_REFUSED', 'x'),
      new SallyportError('IDENTITY_PENDING', 'x'),
    ]
    expect(errors.map((error) => brokerError(error, gone))).toEqual(errors)
  })
})
