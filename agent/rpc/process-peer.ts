import { SallyportError } from '../../src/errors.ts'
import { executableOf, idsOf } from '../../src/peer/process-facts.ts'
import type { Peer } from '../../src/peer/peer.ts'
import { startTimeOf } from '../../src/process-start.ts'

const GROUPS_MAX = 1024

/**
 * A process of this node by its number, as `/proc` tells of it: for explaining, not for handing out identities, since numbers are
 * used again.
 *
 * @throws {@link SallyportError} `REQUEST_INVALID`
 */
export function processPeer(pid: number): Peer {
  const startTime = startTimeOf(pid)
  const ids = startTime === undefined ? undefined : idsOf(pid)
  // It may have exited meanwhile, or be hidden: there is nothing to explain either way.
  if (ids === undefined) {
    throw new SallyportError('REQUEST_INVALID', `Cannot explain process ${pid}: there is none`, {
      hint: 'Find it with `pgrep -f NAME`.',
    })
  }
  return {
    ...{ pid, uid: ids.uid, gid: ids.gid, supplementaryGids: ids.supplementaryGids.slice(0, GROUPS_MAX) },
    executable: executableOf(pid),
    isAlive: () => startTimeOf(pid) === startTime,
    exited: new AbortController().signal,
  }
}
