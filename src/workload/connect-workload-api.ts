import { openChannel } from '../wire/channel.ts'
import type { Transport } from '../wire/client.ts'
import { checkSocketPath, printEndpoint, workloadEndpoint } from './endpoint.ts'

/** A way to the Workload API, with its address for messages. */
export interface WorkloadApiConnection {
  readonly transport: Transport
  readonly address: string
}

/**
 * A channel to the Workload API at this address, else at that of the environment: the only variable that is read here. It
 * connects when it is first used. The folders of a unix socket are looked at now and before every connection.
 *
 * @throws {@link SallyportError} `ENDPOINT_INVALID`, `SOCKET_PATH_UNSAFE`
 */
export async function connectWorkloadApi(configured: string | undefined): Promise<WorkloadApiConnection> {
  const endpoint = workloadEndpoint(configured, process.env)
  const beforeConnect = async (): Promise<void> => {
    if ('unix' in endpoint) await checkSocketPath(endpoint.unix)
  }
  await beforeConnect()
  return { transport: openChannel({ address: endpoint, beforeConnect }), address: printEndpoint(endpoint) }
}
