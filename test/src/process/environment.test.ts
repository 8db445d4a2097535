import { expect, test } from 'vitest'
import { checkEnvironment } from '../../../src/process/environment.ts'

test.for([
  'NODE_OPTIONS',
  'NODE_TLS_REJECT_UNAUTHORIZED',
  'NODE_EXTRA_CA_CERTS',
  'SSLKEYLOGFILE',
  'OPENSSL_CONF',
  'LD_PRELOAD',
])('SE-30 a daemon refuses to run with %s', (name) => {
  expect(() => checkEnvironment({ PATH: '/bin', [name]: 'x' })).toThrowCode('ENVIRONMENT_REFUSED', name)
})

test('runs in an ordinary environment', () => {
  expect(() => checkEnvironment({ PATH: '/bin', HOME: '/root', NODE_ENV: 'production' })).not.toThrow()
})
