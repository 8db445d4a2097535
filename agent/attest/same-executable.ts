import { SallyportError } from '../../src/errors.ts'
import type { Peer } from '../../src/peer/peer.ts'
import { executableOf, isSameExecutable } from '../../src/peer/process-facts.ts'

/**
 * The peer is alive and runs the program that it ran when it connected. Asked before every write of key material: a process
 * may connect, fork, and execute a registered program under the pid that the kernel reported, while its child reads the answer.
 *
 * @throws {@link SallyportError} `WORKLOAD_CHANGED`
 */
export function checkSameExecutable(peer: Peer): void {
  const before = peer.executable
  const now = executableOf(peer.pid)
  // Read first, then ask whether it lives: so what was read belonged to this process.
  if (!peer.isAlive()) throw changed(peer, 'has exited')
  // Hidden from us then and now: a process of another user, when the agent is not root.
  if (before === undefined && now === undefined) return
  if (before === undefined || now === undefined || !isSameExecutable(before, now))
    throw changed(peer, 'runs another program now')
}

const changed = ({ pid }: Peer, what: string): SallyportError =>
  new SallyportError('WORKLOAD_CHANGED', `Cannot answer process ${pid}: it ${what}`)
