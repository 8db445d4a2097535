import { accessSync, constants, existsSync, lstatSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { systemClock } from '../src/clock.ts'
import { errorCodes, SallyportError } from '../src/errors.ts'
import type { Transport } from '../src/wire/client.ts'
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
  const own = join(runtimeFolder(environment), 'sallyport/server/admin.sock')
  return nearOrUsual(resolve('server/admin.sock'), [own, SERVER_DEFAULT])
}

/** The folder below which an agent that is told nothing else keeps its sockets: the user's own where there is none for sockets. */
export function agentFolder(environment: NodeJS.ProcessEnv): string {
  const isHomeless = process.getuid?.() !== 0 && environment['XDG_RUNTIME_DIR'] === undefined
  return isHomeless ? resolve('agent') : join(runtimeFolder(environment), 'sallyport/agent')
}

/** As `agentFolder`, for commands: an agent of one's own in ./agent comes before the one of the system. */
function agentPlace(name: string, environment: NodeJS.ProcessEnv): string {
  const usual = [join(agentFolder(environment), name), join('/run/sallyport/agent', name)]
  return nearOrUsual(resolve('agent', name), usual)
}

/** One's own socket in the folder where one is, else the first that exists; of none, the one that this user may not look for. */
function nearOrUsual(near: string, usual: readonly string[]): string {
  const found = lookAt(near)
  if (found === 'own') return near
  return usual.find((path) => existsSync(path)) ?? (found === 'hidden' ? near : usual.at(-1)!)
}

/** A socket that somebody else left in the folder where one happens to be is not talked to. */
function lookAt(path: string): 'own' | 'hidden' | 'none' {
  try {
    const status = lstatSync(path, { throwIfNoEntry: false })
    const isOwn = status?.isSocket() && (status.uid === 0 || status.uid === process.getuid?.())
    return isOwn ? 'own' : 'none'
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    return code === 'EACCES' || code === 'EPERM' ? 'hidden' : 'none'
  }
}

/** Where the agent's workload socket is: flag, SPIFFE_ENDPOINT_SOCKET, ./agent/api.sock, the system's place. */
export function agentSocket(options: GlobalOptions, environment: NodeJS.ProcessEnv = process.env): string {
  const named = options.agentSocket ?? environment['SPIFFE_ENDPOINT_SOCKET']
  if (named !== undefined) return named.includes(':') ? named : `unix:${resolve(named)}`
  return `unix:${agentPlace('api.sock', environment)}`
}

/** Where the agent's admin socket is: flag, environment, below the folder of the workload socket. */
export function agentAdminSocket(options: GlobalOptions, environment: NodeJS.ProcessEnv = process.env): string {
  const named = options.agentAdminSocket ?? environment['SALLYPORT_AGENT_ADMIN_SOCKET']
  return named === undefined ? agentPlace('private/admin.sock', environment) : resolve(named)
}

/** What a command talks to, and what to say when it cannot. */
interface Door {
  readonly name: string
  readonly starts: string
  readonly flag: string
  readonly variable: string
  readonly admits: string
  /** What to do when the process answers and the call does not end. */
  readonly waits?: string
}

const doors = {
  server: {
    name: 'the admin socket of the server',
    starts: 'sallyport server run --config server/server.yaml',
    flag: '--server-socket',
    variable: 'SALLYPORT_SERVER_SOCKET',
    admits: 'Run the command as the user of the server or as root.',
  },
  agentAdmin: {
    name: 'the admin socket of the agent',
    starts: 'sallyport agent run --join-file join.txt',
    flag: '--agent-admin-socket',
    variable: 'SALLYPORT_AGENT_ADMIN_SOCKET',
    admits: 'Run the command as the user of the agent or as root.',
  },
  agent: {
    name: 'the workload socket of the agent',
    starts: 'sallyport agent run --join-file join.txt',
    flag: '--agent-socket',
    variable: 'SPIFFE_ENDPOINT_SOCKET',
    admits: 'Put the socket where every workload may reach it: its folder needs mode 0755.',
    waits: 'See what the agent waits for with `sallyport status --of agent`, or give it more time.',
  },
} as const satisfies Record<string, Door>

/** Opens a socket, works with it, closes it; says which command starts what is missing. */
export async function withSocket<T>(
  path: string,
  door: keyof typeof doors,
  work: (transport: Transport) => Promise<T>,
): Promise<T> {
  checkReachable(path, doors[door])
  const { openChannel } = await import('../src/wire/channel.ts')
  const transport = openChannel({ address: { unix: path } })
  try {
    return await work(transport)
  } catch (error) {
    throw withHintOf(doors[door], error)
  } finally {
    await transport.close()
  }
}

const startHint = ({ starts, flag, variable }: Door): string =>
  `Start it with \`${starts}\`, or name its socket with ${flag} or ${variable}.`

/** What the wire alone cannot know: which process was meant, and how it is started or named. */
function withHintOf(door: Door, error: unknown): unknown {
  if (!(error instanceof SallyportError) || error.hint !== errorCodes[error.code].remedy) return error
  const hints: Partial<Record<string, string | undefined>> = {
    UNREACHABLE: startHint(door),
    DEADLINE_EXCEEDED: door.waits,
    METHOD_UNIMPLEMENTED: `Is it ${door.name}? Name that with ${door.flag} or ${door.variable}; a process of an earlier version may not know the command.`,
  }
  const hint = hints[error.code]
  return hint === undefined ? error : new SallyportError(error.code, error.message, { cause: error, hint })
}

/** That a socket is hidden from this user is another thing than that there is none. */
function checkReachable(path: string, door: Door): void {
  try {
    accessSync(path, constants.R_OK | constants.W_OK)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EACCES' || code === 'EPERM')
      throw new SallyportError('SOCKET_FORBIDDEN', `Cannot connect to ${path}: this user may not open it`, {
        cause: error,
        hint: door.admits,
      })
    throw new SallyportError('SOCKET_UNREACHABLE', `Cannot connect to ${path}: there is no socket`, {
      cause: error,
      hint: startHint(door),
    })
  }
}

/** Works with the server: over the admin socket of this machine, or from anywhere as the identity of this process. */
export async function withServer<T>(options: GlobalOptions, work: (transport: Transport) => Promise<T>): Promise<T> {
  const { serverAddress, serverSocket: socket } = options
  if (serverAddress !== undefined && socket !== undefined) {
    throw new SallyportError('COMMAND_INVALID', 'Cannot use --server-address and --server-socket together', {
      hint: 'Leave one of them out.',
    })
  }
  const address = serverAddress ?? (socket === undefined ? process.env['SALLYPORT_SERVER_ADDRESS'] : undefined)
  if (address === undefined) return withSocket(serverSocket(options), 'server', work)
  const { withRemoteServer } = await import('./remote-server.ts')
  return withRemoteServer({ address, endpoint: agentSocket(options), as: options.as }, work)
}

export const withAgentAdmin = <T>(options: GlobalOptions, work: (transport: Transport) => Promise<T>): Promise<T> =>
  withSocket(agentAdminSocket(options), 'agentAdmin', work)

/** Works with the Workload API as any workload would. */
export async function withWorkloadApi<T>(
  options: GlobalOptions,
  work: (client: WorkloadClient) => Promise<T>,
): Promise<T> {
  const endpoint = parseEndpoint(agentSocket(options))
  const { WorkloadClient: Client } = await import('../src/workload/workload-client.ts')
  const use = (transport: Transport): Promise<T> => work(new Client({ transport, clock: systemClock }))
  if ('unix' in endpoint) return withSocket(endpoint.unix, 'agent', use)
  const { openChannel } = await import('../src/wire/channel.ts')
  const transport = openChannel({ address: endpoint })
  try {
    return await use(transport)
  } finally {
    await transport.close()
  }
}
