import { SallyportError } from '../../src/errors.ts'
import type { Peer } from '../../src/peer/peer.ts'
import { idsOf } from '../../src/peer/process-facts.ts'

/**
 * The process is still of the user and the group that it was attested as. One that calls itself is asked when it connects; one that a
 * broker refers to may be caught while it is being started and has not given up the rights of its parent yet.
 *
 * @throws {@link SallyportError} `WORKLOAD_CHANGED`
 */
export function checkSameIds({ pid, uid, gid }: Pick<Peer, 'pid' | 'uid' | 'gid'>): void {
  const now = idsOf(pid)
  if (now?.uid === uid && now.gid === gid) return
  throw new SallyportError(
    'WORKLOAD_CHANGED',
    `Cannot answer for process ${pid}: it belongs to another user or group now`,
  )
}
