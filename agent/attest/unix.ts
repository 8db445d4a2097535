import { systemClock, type Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Peer } from '../../src/peer/peer.ts'
import { executablePathOf, namespaceOf } from '../../src/peer/process-facts.ts'
import { ExecutableHash } from './executable-hash.ts'
import { systemNames, type SystemNames } from './system-names.ts'
import type { WorkloadAttestor } from './workload-attestor.ts'

export interface UnixAttestorOptions {
  /** Find `path` and `sha256` too, which needs the right to look into the processes of others. Default: false. */
  readonly discoverWorkloadPath?: boolean | undefined
  /** The largest program that is hashed; 0: hash none, `path` only. Default: 512 MiB. */
  readonly workloadSizeLimitBytes?: number | undefined
  /**
   * What is said about processes in namespaces other than the host's, such as containers, where paths and user ids can be made
   * to look like anything. `refuse` (default): nothing; `mount`: ids, if only the mount namespace is another, as under systemd's
   * PrivateTmp; `all`: ids, whatever the namespaces. Names, paths and hashes are never said about them.
   */
  readonly foreignNamespaces?: 'refuse' | 'mount' | 'all' | undefined
  /** The host's namespaces, such as `user:[4026531837]`, when the agent runs in others itself. Default: the agent's own. */
  readonly hostNamespaces?: { readonly user?: string | undefined; readonly mnt?: string | undefined } | undefined
  readonly clock?: Clock | undefined
  readonly names?: SystemNames | undefined
}

const DEFAULT_SIZE_LIMIT_BYTES = 512 * 1024 * 1024

/** Selectors of SPIRE's `unix` attestor: uid, user, gid, group, supplementary_gid, supplementary_group, path, sha256. */
export function unix(options: UnixAttestorOptions = {}): WorkloadAttestor {
  const clock = options.clock ?? systemClock
  const names = options.names ?? systemNames(clock)
  const sizeLimitBytes = options.workloadSizeLimitBytes ?? DEFAULT_SIZE_LIMIT_BYTES
  const hashes = new ExecutableHash({ clock, sizeLimitBytes })
  return {
    type: 'unix',
    attest: async (peer, signal) => {
      const ids = idsOf(peer)
      if (isForeign(peer, options)) return ids
      const named = await namesOf(peer, names, signal)
      if (options.discoverWorkloadPath !== true) return [...ids, ...named]
      const path = pathOf(peer)
      const hash = sizeLimitBytes > 0 ? [`sha256:${await hashes.of(peer, signal)}`] : []
      return [...ids, ...named, `path:${path}`, ...hash]
    },
  }
}

const idsOf = ({ uid, gid, supplementaryGids }: Peer): string[] => [
  `uid:${uid}`,
  `gid:${gid}`,
  ...supplementaryGids.map((id) => `supplementary_gid:${id}`),
]

async function namesOf(
  { uid, gid, supplementaryGids }: Peer,
  names: SystemNames,
  signal: AbortSignal,
): Promise<string[]> {
  const [user, group, ...supplementary] = await Promise.all([
    names.user(uid, signal),
    names.group(gid, signal),
    ...supplementaryGids.map((id) => names.group(id, signal)),
  ])
  const isName = (name: string | undefined): name is string => name !== undefined
  return [
    ...[user].filter(isName).map((name) => `user:${name}`),
    ...[group].filter(isName).map((name) => `group:${name}`),
    ...supplementary.filter(isName).map((name) => `supplementary_group:${name}`),
  ]
}

/**
 * Does the process live in namespaces other than the host's? Both are compared: in a user namespace of its own a process may
 * point `/proc/<pid>/exe` at any file and still be in the host's mount namespace.
 *
 * @throws {@link SallyportError} `PROCESS_REFUSED` when nothing may be said about it at all
 */
function isForeign({ pid }: Peer, { foreignNamespaces = 'refuse', hostNamespaces = {} }: UnixAttestorOptions): boolean {
  const user = compare(pid, 'user', hostNamespaces.user)
  const mount = compare(pid, 'mnt', hostNamespaces.mnt)
  if (user === 'host' && mount === 'host') return false
  if (foreignNamespaces === 'all' || (foreignNamespaces === 'mount' && user === 'host')) return true
  if (user === 'hidden' || mount === 'hidden') {
    throw refused(pid, 'its /proc is hidden', 'Run the agent as root, or as the user of the process.')
  }
  const which = user === 'foreign' ? 'user' : 'mount'
  throw refused(
    pid,
    `it is in a ${which} namespace of its own`,
    'Set foreignNamespaces of the unix attestor to allow it.',
  )
}

function compare(pid: number, kind: 'user' | 'mnt', host: string | undefined): 'host' | 'foreign' | 'hidden' {
  const own = namespaceOf(pid, kind)
  if (own === undefined) return 'hidden'
  return own === (host ?? ownNamespace(kind)) ? 'host' : 'foreign'
}

const ownNamespaces = new Map<'user' | 'mnt', string>()

/** Of this process, which does not change: a process with several threads cannot move. */
function ownNamespace(kind: 'user' | 'mnt'): string | undefined {
  const known = ownNamespaces.get(kind) ?? namespaceOf('self', kind)
  if (known !== undefined) ownNamespaces.set(kind, known)
  return known
}

function pathOf({ pid }: Peer): string {
  const path = executablePathOf(pid)
  if (path === undefined)
    throw refused(pid, 'its program is hidden', 'Run the agent as root, or turn discoverWorkloadPath off.')
  if (path.endsWith(' (deleted)')) throw refused(pid, 'its program was deleted or replaced', 'Restart that process.')
  if (!path.startsWith('/'))
    throw refused(pid, 'its program is not reachable from here', 'Turn discoverWorkloadPath off.')
  return path
}

const refused = (pid: number, why: string, hint: string): SallyportError =>
  new SallyportError('PROCESS_REFUSED', `Cannot attest process ${pid}: ${why}`, { hint })
