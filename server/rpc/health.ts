import { SallyportError } from '../../src/errors.ts'
import type { Handlers } from '../../src/wire/implementation.ts'
import type { healthService } from '../../src/wire/messages/grpc-health-v1.ts'
import { type HealthCheckResponse } from '../../src/wire/messages/grpc-health-v1.ts'
import type { RpcDeps } from './rpc-deps.ts'

/** How often a watched state is looked at. */
const WATCH_INTERVAL_MS = 1000

/** `grpc.health.v1.Health`: one state for the whole server, under the empty name. */
export function healthHandlers({ isReady, clock }: Pick<RpcDeps, 'isReady' | 'clock'>): Handlers<typeof healthService> {
  const state = (): HealthCheckResponse => ({ status: isReady() ? 'SERVING' : 'NOT_SERVING' })
  return {
    async check({ service }) {
      if (service === '') return state()
      throw new SallyportError('SERVICE_UNKNOWN', `unknown service ${JSON.stringify(service.slice(0, 255))}`)
    },

    async list() {
      return { statuses: { '': state() } }
    },

    async *watch({ service }, { signal }) {
      let told: string | undefined
      for (;;) {
        const { status } = service === '' ? state() : ({ status: 'SERVICE_UNKNOWN' } as const)
        if (status !== told) yield { status }
        told = status
        await clock.sleep(WATCH_INTERVAL_MS, signal)
      }
    },
  }
}
