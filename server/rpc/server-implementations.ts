import { implement, type Implementation } from '../../src/wire/implementation.ts'
import { healthService } from '../../src/wire/messages/grpc-health-v1.ts'
import {
  adminService,
  decisionsService,
  lifecycleService,
  policiesService,
  registrationsService,
} from '../../src/wire/messages/sallyport-server-v1.ts'
import { agentService } from '../../src/wire/messages/spire-api-server-agent-v1.ts'
import { bundleService } from '../../src/wire/messages/spire-api-server-bundle-v1.ts'
import { entryService } from '../../src/wire/messages/spire-api-server-entry-v1.ts'
import { svidService } from '../../src/wire/messages/spire-api-server-svid-v1.ts'
import { adminHandlers } from './admin.ts'
import { agentHandlers } from './agent.ts'
import { bundleHandlers } from './bundle.ts'
import { decisionsHandlers } from './decisions.ts'
import { entryHandlers } from './entry.ts'
import { healthHandlers } from './health.ts'
import { lifecycleHandlers } from './lifecycle.ts'
import { policiesHandlers } from './policies.ts'
import { registrationsHandlers } from './registrations.ts'
import type { RpcDeps } from './rpc-deps.ts'
import { svidHandlers } from './svid.ts'
import { Turns } from './turns.ts'

/** The services of the server's API; the push stream is `server/sync`'s. */
export function serverImplementations(deps: RpcDeps): readonly Implementation[] {
  const federation = new Turns()
  return [
    implement(agentService, agentHandlers(deps)),
    implement(entryService, entryHandlers(deps, federation)),
    implement(svidService, svidHandlers(deps)),
    implement(bundleService, bundleHandlers(deps, federation)),
    implement(healthService, healthHandlers(deps)),
    implement(adminService, adminHandlers(deps)),
    implement(policiesService, policiesHandlers(deps)),
    implement(lifecycleService, lifecycleHandlers(deps)),
    implement(decisionsService, decisionsHandlers(deps)),
    implement(registrationsService, registrationsHandlers(deps, federation)),
  ]
}
