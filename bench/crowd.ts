import { fork, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import type { CrowdNews, CrowdOrder } from './crowd-process.ts'
import type { EntryOrder } from './entries.ts'
import type { System } from './system.ts'

/** Many simulated agents in a process of their own, connected and idle. */
export class Crowd implements Disposable {
  readonly #child: ChildProcess
  /** Streams that ended, which none should. */
  ended = 0

  private constructor(child: ChildProcess) {
    this.#child = child
    child.on('message', (news: CrowdNews) => {
      if (news.kind === 'ended') this.ended += 1
    })
  }

  /** @param entriesEach registered for each agent before it connects */
  static async connect(system: System, count: number, entriesEach: number): Promise<Crowd> {
    const crowd = new Crowd(fork(join(import.meta.dirname, 'crowd-process.ts')))
    const { port, serverSocket } = system
    const { agentIds } = await crowd.#ask({ kind: 'join', count, port, serverSocket }, 'joined')
    await system.register(agentIds.flatMap((agentId) => entriesOf(agentId, entriesEach)))
    await crowd.#ask({ kind: 'follow' }, 'following')
    return crowd
  }

  #ask<K extends CrowdNews['kind']>(order: CrowdOrder, answer: K): Promise<Extract<CrowdNews, { kind: K }>> {
    const { promise, resolve, reject } = Promise.withResolvers<Extract<CrowdNews, { kind: K }>>()
    const hear = (news: CrowdNews): void => {
      if (news.kind === answer) resolve(news as Extract<CrowdNews, { kind: K }>)
    }
    const onExit = (): void => reject(new Error('The process of the agents ended'))
    this.#child.on('message', hear).once('exit', onExit)
    this.#child.send(order)
    return promise.finally(() => this.#child.off('message', hear).off('exit', onExit))
  }

  [Symbol.dispose](): void {
    this.#child.disconnect()
  }
}

const entriesOf = (agentId: string, count: number): EntryOrder[] =>
  Array.from({ length: count }, (_, index) => ({
    spiffeId: `spiffe://example.org/crowd/${agentId.slice(-8)}/${index}`,
    parentId: agentId,
    selectors: [`unix:uid:${index}`],
  }))
