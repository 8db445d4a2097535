import { execFile } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import type { Clock } from '../../src/clock.ts'

/** The names that this system has for users and groups. */
export interface SystemNames {
  /** Undefined when there is none, or it cannot be found in time. */
  user(uid: number, signal: AbortSignal): Promise<string | undefined>
  group(gid: number, signal: AbortSignal): Promise<string | undefined>
}

/** How long a file is trusted before it is looked at again. */
const FRESH_MS = 1000
/** How long an answer of the name service, which may be a network away, is kept. */
const KEPT_MS = 60_000
const KEPT_MAX = 4096
const LOOKUP_TIMEOUT_MS = 2000
/** Of `/etc/passwd` and `/etc/group`. */
const FILE_MAX_BYTES = 16 * 1024 * 1024

/** Names from `/etc/passwd` and `/etc/group`, and from the name service (`getent`) for those that are not there. */
export function systemNames(clock: Clock, files = { users: '/etc/passwd', groups: '/etc/group' }): SystemNames {
  const users = new NameSource('passwd', files.users, clock)
  const groups = new NameSource('group', files.groups, clock)
  return { user: (uid, signal) => users.nameOf(uid, signal), group: (gid, signal) => groups.nameOf(gid, signal) }
}

class NameSource {
  readonly #database: 'passwd' | 'group'
  readonly #path: string
  readonly #clock: Clock
  readonly #looked = new Map<number, { readonly name: Promise<string | undefined>; readonly atMs: number }>()
  #names: ReadonlyMap<number, string> = new Map()
  #version = ''
  #checkedMs = -Infinity
  #checking: Promise<void> | undefined

  constructor(database: 'passwd' | 'group', path: string, clock: Clock) {
    this.#database = database
    this.#path = path
    this.#clock = clock
  }

  async nameOf(id: number, signal: AbortSignal): Promise<string | undefined> {
    if (this.#clock.monotonicMs() - this.#checkedMs > FRESH_MS) {
      this.#checking ??= this.#reload().finally(() => (this.#checking = undefined))
      await this.#checking
    }
    signal.throwIfAborted()
    return this.#names.get(id) ?? this.#lookUp(id)
  }

  async #reload(): Promise<void> {
    const status = await stat(this.#path, { bigint: true }).catch(() => undefined)
    this.#checkedMs = this.#clock.monotonicMs()
    const version = status === undefined ? 'absent' : `${status.ino} ${status.size} ${status.mtimeNs} ${status.ctimeNs}`
    if (version === this.#version) return
    const isReadable = status !== undefined && status.size <= FILE_MAX_BYTES
    this.#names = isReadable ? parseNames(await readFile(this.#path, 'utf8').catch(() => '')) : new Map()
    this.#version = version
  }

  /** Asked once for all that wait for the same id; an absent name is remembered too. */
  #lookUp(id: number): Promise<string | undefined> {
    const nowMs = this.#clock.monotonicMs()
    const known = this.#looked.get(id)
    if (known !== undefined && nowMs - known.atMs < KEPT_MS) return known.name
    this.#looked.delete(id)
    const oldest = this.#looked.keys().next()
    if (this.#looked.size >= KEPT_MAX && oldest.done !== true) this.#looked.delete(oldest.value)
    const name = getent(this.#database, id)
    this.#looked.set(id, { name, atMs: nowMs })
    return name
  }
}

/** By id; the first line of an id counts, as for the system itself. */
export function parseNames(text: string): ReadonlyMap<number, string> {
  const names = new Map<number, string>()
  for (const line of text.split('\n')) {
    const [name = '', , id = ''] = line.split(':')
    if (name === '' || name.startsWith('#') || !/^\d{1,10}$/.test(id)) continue
    if (!names.has(Number(id))) names.set(Number(id), name)
  }
  return names
}

function getent(database: 'passwd' | 'group', id: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const options = {
      timeout: LOOKUP_TIMEOUT_MS,
      killSignal: 'SIGKILL',
      maxBuffer: 1024 * 1024,
      encoding: 'utf8',
    } as const
    // A name that is not found in time is a selector less, not a failure.
    execFile('getent', [database, String(id)], options, (error, stdout) =>
      resolve(error === null ? parseNames(stdout).get(id) : undefined),
    )
  })
}
