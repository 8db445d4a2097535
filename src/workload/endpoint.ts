import { stat } from 'node:fs/promises'
import { isIP } from 'node:net'
import { dirname } from 'node:path'
import { SallyportError } from '../errors.ts'

/** Where the Workload API is. */
export type WorkloadEndpoint = { readonly unix: string } | { readonly host: string; readonly port: number }

export const ENDPOINT_VARIABLE = 'SPIFFE_ENDPOINT_SOCKET'

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
 * Refuses a socket in a directory where others can put their own in its place: whoever serves it could hand out false identities.
 *
 * @throws {@link SallyportError} `ENDPOINT_INVALID`
 */
export async function checkSocketPath(path: string): Promise<void> {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const mode = await modeOf(folder)
    const isSticky = (mode & 0o1000) !== 0
    if ((mode & 0o002) !== 0 && !isSticky) {
      throw invalid(
        path,
        `everybody can write to ${folder}`,
        'Move the socket, or take the write permission away from others.',
      )
    }
    if (folder === dirname(folder)) return
  }
}

async function modeOf(folder: string): Promise<number> {
  try {
    return (await stat(folder)).mode
  } catch (cause) {
    // A folder that does not exist yet is made by the agent, below one that was looked at.
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return 0
    throw new SallyportError('ENDPOINT_INVALID', `Cannot look at the folder ${folder} of the socket`, { cause })
  }
}

function invalid(text: string, why: string, hint?: string): SallyportError {
  return new SallyportError(
    'ENDPOINT_INVALID',
    `Cannot use Workload API address ${JSON.stringify(text.slice(0, 200))}: ${why}`,
    hint === undefined ? {} : { hint },
  )
}
