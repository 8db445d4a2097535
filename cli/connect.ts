import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { systemClock } from '../src/clock.ts'
import { SallyportError } from '../src/errors.ts'
import type { Transport } from '../src/wire/handlers.ts'
import { parseEndpoint } from '../src/workload/endpoint.ts'
import type { WorkloadClient } from '../src/workload/workload-client.ts'
import type { GlobalOptions } from './context.ts'

const SERVER_DEFAULT = '/run/sallyport/server/admin.sock'

/** The folder for sockets of a user's own processes. */
export function runtimeFolder(environment: NodeJS.ProcessEnv): string {
  const folder = environment['XDG_RUNTIME_DIR']
  return process.getuid?.() === 0 || folder === undefined ? '/run' : folder
}

/** Where the server's admin socket is: flag, environment, ./server/admin.sock, the system's place. */
export function serverSocket(options: GlobalOptions, environment: NodeJS.ProcessEnv = process.env): string {
  const named = options.serverSocket ?? environment['SALLYPORT_SERVER_SOCKET']
  if (named !== undefined) return resolve(named)
  const near = resolve('server/admin.sock')
  if (existsSync(near)) return near
  const own = join(runtimeFolder(environment), 'sallyport/server/admin.sock')
  return existsSync(own) ? own : SERVER_DEFAULT
}

/** Where the agent's workload socket is: flag, SPIFFE_ENDPOINT_SOCKET, the system's place. */
export function agentSocket(options: GlobalOptions, environment: NodeJS.ProcessEnv = process.env): string {
  const named = options.agentSocket ?? environment['SPIFFE_ENDPOINT_SOCKET']
  if (named !== undefined) return named.includes(':') ? named : `unix:${resolve(named)}`
  return `unix:${join(runtimeFolder(environment), 'sallyport/agent/api.sock')}`
}

/** Where the agent's admin socket is: flag, environment, below the folder of the workload socket. */
export function agentAdminSocket(options: GlobalOptions, environment: NodeJS.ProcessEnv = process.env): string {
  const named = options.agentAdminSocket ?? environment['SALLYPORT_AGENT_ADMIN_SOCKET']
  return named === undefined ? join(runtimeFolder(environment), 'sallyport/agent/private/admin.sock') : resolve(named)
}

/** Opens a socket, works with it, closes it; says which command starts what is missing. */
export async function withSocket<T>(
  path: string,
  starts: string,
  work: (transport: Transport) => Promise<T>,
): Promise<T> {
  if (!existsSync(path)) {
    throw new SallyportError('SOCKET_UNREACHABLE', `Cannot connect to ${path}: there is no socket`, {
      hint: `Start it with \`${starts}\`, or name its socket by flag or environment (see --help).`,
    })
  }
  const { openChannel } = await import('../src/wire/channel.ts')
  const transport = openChannel({ address: { unix: path } })
  try {
    return await work(transport)
  } finally {
    await transport.close()
  }
}

export const withServer = <T>(options: GlobalOptions, work: (transport: Transport) => Promise<T>): Promise<T> =>
  withSocket(serverSocket(options), 'sallyport server run', work)

export const withAgentAdmin = <T>(options: GlobalOptions, work: (transport: Transport) => Promise<T>): Promise<T> =>
  withSocket(agentAdminSocket(options), 'sallyport agent run', work)

/** Works with the Workload API as any workload would. */
export async function withWorkloadApi<T>(
  options: GlobalOptions,
  work: (client: WorkloadClient) => Promise<T>,
): Promise<T> {
  const endpoint = parseEndpoint(agentSocket(options))
  const { WorkloadClient: Client } = await import('../src/workload/workload-client.ts')
  const use = (transport: Transport): Promise<T> => work(new Client({ transport, clock: systemClock }))
  if ('unix' in endpoint) return withSocket(endpoint.unix, 'sallyport agent run', use)
  const { openChannel } = await import('../src/wire/channel.ts')
  const transport = openChannel({ address: endpoint })
  try {
    return await use(transport)
  } finally {
    await transport.close()
  }
}
