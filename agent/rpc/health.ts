import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import { implement, type Implementation } from '../../src/wire/implementation.ts'
import { healthService, type HealthCheckResponse } from '../../src/wire/messages/grpc-health-v1.ts'

const WATCH_EVERY_MS = 1_000

/** The standard health service; the empty name stands for the whole process. */
export function healthApi(isServing: () => boolean, clock: Clock): Implementation {
  const now = (): HealthCheckResponse => ({ status: isServing() ? 'SERVING' : 'NOT_SERVING' })
  return implement(healthService, {
    async check({ service }) {
      if (service === '') return now()
      throw new SallyportError(
        'SERVICE_UNKNOWN',
        `Cannot tell the health of "${service.slice(0, 100)}": there is no such service`,
      )
    },
    list: async () => ({ statuses: { '': now() } }),
    async *watch({ service }, call) {
      for (let last = ''; ;) {
        const { status } = service === '' ? now() : ({ status: 'SERVICE_UNKNOWN' } as const)
        if (status !== last) yield { status: (last = status) }
        await clock.sleep(WATCH_EVERY_MS, call.signal)
      }
    },
  })
}
