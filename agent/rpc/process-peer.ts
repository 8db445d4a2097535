import { readFileSync } from 'node:fs'
import { SallyportError } from '../../src/errors.ts'
import { executableOf, startTimeOf } from '../../src/peer/process-facts.ts'
import type { Peer } from '../../src/peer/peer.ts'

const GROUPS_MAX = 1024

/**
 * A process of this node by its number, as `/proc` tells of it: for explaining, not for handing out identities, since numbers are
 * used again.
 *
 * @throws {@link SallyportError} `REQUEST_INVALID`
 */
export function processPeer(pid: number): Peer {
  const startTime = startTimeOf(pid)
  const status = startTime === undefined ? undefined : readStatus(pid)
  if (status === undefined) {
    throw new SallyportError('REQUEST_INVALID', `Cannot explain process ${pid}: there is none`, {
      hint: 'Find it with `pgrep -f NAME`.',
    })
  }
  return {
    pid,
    uid: numbersOf(status, 'Uid')[1] ?? -1,
    gid: numbersOf(status, 'Gid')[1] ?? -1,
    supplementaryGids: numbersOf(status, 'Groups').slice(0, GROUPS_MAX),
    executable: executableOf(pid),
    isAlive: () => startTimeOf(pid) === startTime,
    exited: new AbortController().signal,
  }
}

function readStatus(pid: number): string | undefined {
  try {
    return readFileSync(`/proc/${pid}/status`, 'latin1')
  } catch {
    // It has exited meanwhile, or is hidden: there is nothing to explain either way.
    return undefined
  }
}

/** Of the four ids in a line of `/proc/<pid>/status` the second one is the effective one, as SO_PEERCRED tells it. */
function numbersOf(status: string, name: string): number[] {
  const line = new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)?.[1] ?? ''
  return line.split(/\s+/).filter(Boolean).map(Number)
}
