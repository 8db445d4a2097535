import { realpath, stat } from 'node:fs/promises'
import { isIP } from 'node:net'
import { dirname } from 'node:path'
import { SallyportError } from '../errors.ts'

/** Where the Workload API is. */
export type WorkloadEndpoint = { readonly unix: string } | { readonly host: string; readonly port: number }

export const ENDPOINT_VARIABLE = 'SPIFFE_ENDPOINT_SOCKET'

/** The address as a person writes it. */
export const printEndpoint = (endpoint: WorkloadEndpoint): string =>
  'unix' in endpoint
    ? `unix:${endpoint.unix}`
    : `tcp://${isIP(endpoint.host) === 6 ? `[${endpoint.host}]` : endpoint.host}:${endpoint.port}`

/** The longest path that a unix socket can have on Linux, in bytes. */
const SOCKET_PATH_MAX_BYTES = 107
const PORT_MAX = 65_535

/**
 * Where to find the Workload API: what is configured, else what the environment says.
 *
 * @throws {@link SallyportError} `ENDPOINT_INVALID`
 * @see SPIFFE_Workload_Endpoint.md §4
 */
export function workloadEndpoint(
  configured: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): WorkloadEndpoint {
  const address = configured ?? environment[ENDPOINT_VARIABLE]
  if (address !== undefined && address !== '') return parseEndpoint(address)
  throw new SallyportError('ENDPOINT_INVALID', `Cannot find the Workload API: ${ENDPOINT_VARIABLE} is not set`)
}

/**
 * Reads `unix:///path` or `tcp://address:port`. By hand, because a URL parser repairs what must be refused: empty parts,
 * leading zeros, dots in paths.
 *
 * @throws {@link SallyportError} `ENDPOINT_INVALID`
 */
export function parseEndpoint(text: string): WorkloadEndpoint {
  const [, scheme = '', rest = ''] = /^([A-Za-z][A-Za-z0-9+.-]*):([^]*)$/.exec(text) ?? []
  switch (scheme.toLowerCase()) {
    case 'unix':
      return unixEndpoint(text, rest)
    case 'tcp':
      return tcpEndpoint(text, rest)
    case 'npipe':
      throw invalid(text, 'named pipes of Windows are not supported')
    default:
      throw invalid(text, 'the scheme must be unix: or tcp:')
  }
}

function unixEndpoint(text: string, rest: string): WorkloadEndpoint {
  const path = rest.startsWith('//') ? rest.slice(2) : rest
  if (!path.startsWith('/')) {
    throw invalid(text, rest.startsWith('//') ? 'a host before the path' : 'the path is not absolute')
  }
  if (path.endsWith('/')) throw invalid(text, 'the path names no file')
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  if (/[?#%\u0000-\u0020\u007f]/.test(path))
    throw invalid(text, 'the path has a query, a fragment, an escape or a space')
  if (path.split('/').some((part) => part === '.' || part === '..'))
    throw invalid(text, 'the path has a "." or ".." in it')
  if (Buffer.byteLength(path) > SOCKET_PATH_MAX_BYTES)
    throw invalid(text, `the path is longer than ${SOCKET_PATH_MAX_BYTES} bytes`)
  return { unix: path }
}

function tcpEndpoint(text: string, rest: string): WorkloadEndpoint {
  const [, ipv6, ipv4, digits = ''] = /^\/\/(?:\[([^\]]*)\]|([0-9.]*)):([1-9][0-9]{0,4})$/.exec(rest) ?? []
  const host = ipv6 ?? ipv4 ?? ''
  if (isIP(host) !== (ipv6 === undefined ? 4 : 6))
    throw invalid(text, 'it must be tcp://<IP address>:<port> and nothing else')
  const port = Number(digits)
  if (port > PORT_MAX) throw invalid(text, `the port is more than ${PORT_MAX}`)
  return { host, port }
}

/**
 * Refuses a socket where somebody else could put their own in its place: whoever serves it could hand out false identities.
 * Folders of the path as it is written and of the one that links lead to may be written by their owner alone, or are sticky.
 *
 * @throws {@link SallyportError} `SOCKET_PATH_UNSAFE`
 */
export async function checkSocketPath(path: string): Promise<void> {
  for (const start of new Set([dirname(path), await realFolder(dirname(path))])) {
    for (let folder = start; ; folder = dirname(folder)) {
      const mode = await modeOf(folder)
      const isSticky = (mode & 0o1000) !== 0
      if ((mode & 0o022) !== 0 && !isSticky) {
        throw unsafe(path, `others may write to ${folder}`, `Run \`chmod go-w ${folder}\`, or move the socket.`)
      }
      if (folder === dirname(folder)) break
    }
  }
}

/** The folder behind all links. One that does not exist yet is made by the agent, below one that was looked at. */
async function realFolder(folder: string): Promise<string> {
  try {
    return await realpath(folder)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT' && folder !== dirname(folder))
      return realFolder(dirname(folder))
    throw unsafe(folder, `the folder ${folder} cannot be looked at`, undefined, cause)
  }
}

async function modeOf(folder: string): Promise<number> {
  try {
    return (await stat(folder)).mode
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw unsafe(folder, `the folder ${folder} cannot be looked at`, undefined, cause)
  }
}

function unsafe(path: string, why: string, hint?: string, cause?: unknown): SallyportError {
  return new SallyportError('SOCKET_PATH_UNSAFE', `Cannot trust the socket ${path}: ${why}`, {
    cause,
    ...(hint === undefined ? {} : { hint }),
  })
}

function invalid(text: string, why: string): SallyportError {
  return new SallyportError(
    'ENDPOINT_INVALID',
    `Cannot use Workload API address ${JSON.stringify(text.slice(0, 200))}: ${why}`,
  )
}
