import { expect, test } from 'vitest'
import { checkSameIds } from '../../../agent/broker/same-ids.ts'
import { describeUnless, notLinux } from '../../unless.ts'

const own = { pid: process.pid, uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 }

describeUnless(notLinux, 'checkSameIds()', () => {
  test('BA-31 accepts a process that is of the user and group that it was attested as', () => {
    expect(() => checkSameIds(own)).not.toThrow()
  })

  test.for([{ uid: 65_533 }, { gid: 65_533 }, { pid: 2 ** 30 }])(
    'BA-31 refuses one that has become another: attested as %j',
    (change) => {
      expect(() => checkSameIds({ ...own, ...change })).toThrowCode('WORKLOAD_CHANGED', 'another user or group')
    },
  )
})
