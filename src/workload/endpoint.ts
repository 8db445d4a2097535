import { realpath, stat } from 'node:fs/promises'
import { isIP } from 'node:net'
import { dirname } from 'node:path'
import { foldersUp, othersMayReplace } from '../disk/folders-up.ts'
import { SallyportError } from '../errors.ts'

/** Where the Workload API is, or the broker endpoint. */
export type WorkloadEndpoint = { readonly unix: string } | { readonly host: string; readonly port: number }

/** What an address is that of. */
export interface EndpointKind {
  /** For messages. */
  readonly api: string
  /** In the environment. */
  readonly variable: string
  /** Whether its host may be a name; else it is an IP address. */
  readonly allowsNames: boolean
}

const WORKLOAD_API: EndpointKind = {
  api: 'Workload API',
  variable: 'SPIFFE_ENDPOINT_SOCKET',
  allowsNames: false,
}

/** The address as a person writes it. */
export const printEndpoint = (endpoint: WorkloadEndpoint): string =>
  'unix' in endpoint
    ? `unix:${endpoint.unix}`
    : `tcp://${isIP(endpoint.host) === 6 ? `[${endpoint.host}]` : endpoint.host}:${endpoint.port}`

/** The longest path that a unix socket can have on Linux, in bytes. */
const SOCKET_PATH_MAX_BYTES = 107
const PORT_MAX = 65_535

/**
 * Where to find an API, the Workload API unless another is named: what is configured, else what the environment says.
 *
 * @throws {@link SallyportError} `ENDPOINT_INVALID`
 * @see SPIFFE_Workload_Endpoint.md §4
 */
export function workloadEndpoint(
  configured: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
  kind = WORKLOAD_API,
): WorkloadEndpoint {
  const address = configured ?? environment[kind.variable]
  if (address !== undefined && address !== '') return parseEndpoint(address, kind)
  throw new SallyportError('ENDPOINT_INVALID', `Cannot find the ${kind.api}: ${kind.variable} is not set`)
}

/**
 * Reads `unix:///path` or `tcp://address:port`. By hand, because a URL parser repairs what must be refused: empty parts,
 * leading zeros, dots in paths.
 *
 * @throws {@link SallyportError} `ENDPOINT_INVALID`
 */
export function parseEndpoint(text: string, kind = WORKLOAD_API): WorkloadEndpoint {
  const invalid = (why: string): SallyportError => unusable(text, kind, why)
  const [, scheme = '', rest = ''] = /^([A-Za-z][A-Za-z0-9+.-]*):([^]*)$/.exec(text) ?? []
  switch (scheme.toLowerCase()) {
    case 'unix':
      return unixEndpoint(rest, invalid)
    case 'tcp':
      return tcpEndpoint(rest, kind, invalid)
    case 'npipe':
      throw invalid('named pipes of Windows are not supported')
    default:
      throw invalid('the scheme must be unix: or tcp:')
  }
}

type Invalid = (why: string) => SallyportError

function unixEndpoint(rest: string, invalid: Invalid): WorkloadEndpoint {
  const path = rest.startsWith('//') ? rest.slice(2) : rest
  if (!path.startsWith('/')) {
    throw invalid(rest.startsWith('//') ? 'a host before the path' : 'the path is not absolute')
  }
  if (path.endsWith('/')) throw invalid('the path names no file')
  // oxlint-disable-next-line no-control-regex -- control characters are what is refused
  if (/[?#%\u0000-\u0020\u007f]/.test(path)) throw invalid('the path has a query, a fragment, an escape or a space')
  if (path.split('/').some((part) => part === '.' || part === '..')) throw invalid('the path has a "." or ".." in it')
  if (Buffer.byteLength(path) > SOCKET_PATH_MAX_BYTES)
    throw invalid(`the path is longer than ${SOCKET_PATH_MAX_BYTES} bytes`)
  return { unix: path }
}

function tcpEndpoint(rest: string, { allowsNames }: EndpointKind, invalid: Invalid): WorkloadEndpoint {
  const [, ipv6, name = '', digits = ''] = /^\/\/(?:\[([^\]]*)\]|([A-Za-z0-9.-]*)):([1-9][0-9]{0,4})$/.exec(rest) ?? []
  const host = ipv6 ?? name
  const isAddress = isIP(host) === (ipv6 === undefined ? 4 : 6)
  if (!isAddress && !(allowsNames && ipv6 === undefined && isDnsName(host))) {
    throw invalid(`it must be tcp://<IP address${allowsNames ? ' or name' : ''}>:<port> and nothing else`)
  }
  const port = Number(digits)
  if (port > PORT_MAX) throw invalid(`the port is more than ${PORT_MAX}`)
  return { host, port }
}

/** Labels of a DNS name; the last one is no number, so that no address with a mistake in it passes for a name. */
const isDnsName = (host: string): boolean =>
  host.length <= 253 &&
  /^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*(?!\d+$)[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$/.test(host)

/**
 * Refuses a socket where somebody else could put their own in its place: whoever serves it could hand out false identities.
 * Folders of the path as it is written and of the one that links lead to may be written by their owner alone, or are sticky.
 *
 * @throws {@link SallyportError} `SOCKET_PATH_UNSAFE`
 */
export async function checkSocketPath(path: string): Promise<void> {
  for (const start of new Set([dirname(path), await realFolder(dirname(path))])) {
    for (const folder of foldersUp(start)) {
      if (othersMayReplace(await modeOf(folder)))
        throw unsafe(path, `others may write to ${folder}`, `Run \`chmod go-w ${folder}\`, or move the socket.`)
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

function unusable(text: string, { api }: EndpointKind, why: string): SallyportError {
  return new SallyportError(
    'ENDPOINT_INVALID',
    `Cannot use ${api} address ${JSON.stringify(text.slice(0, 200))}: ${why}`,
  )
}
