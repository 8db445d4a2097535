import { describe, expect, test } from 'vitest'
import type { AgentCaller } from '../../../server/access/caller.ts'
import type { Followers } from '../../../server/sync/followers.ts'
import { syncImplementation } from '../../../server/sync/follow.ts'
import type { SyncDeps } from '../../../server/sync/sync-deps.ts'
import type { Call } from '../../../src/wire/call.ts'
import type { DecisionBatch } from '../../../src/wire/messages/sallyport-sync-v1.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { roomy } from '../../fakes/policy-objects.ts'
import { anId } from '../../fakes/store-objects.ts'

/** A server whose store ends no commit until it is told to. */
class SlowServer {
  readonly #paths = new WeakMap<Call, string>()
  readonly #commits: (() => void)[] = []
  readonly #report: (batch: DecisionBatch, call: Call) => Promise<unknown>

  constructor() {
    const deps = {
      store: { commit: () => new Promise<void>((resolve) => this.#commits.push(resolve)) },
      ...{ clock: new FakeClock(), decisionRoom: roomy },
      callerOf: (call: Call) => ({ kind: 'agent', spiffeId: anId(this.#paths.get(call) ?? '') }) as AgentCaller,
    }
    const { handlers } = syncImplementation(deps as unknown as SyncDeps, {} as Followers)
    this.#report = handlers['reportDecisions'] as never
  }

  report(agent: string, batch: number): Promise<unknown> {
    const content = { logId: 'log', batch, records: [], counters: [], droppedRecords: 0, droppedCounters: 0 }
    const call = {} as Call
    this.#paths.set(call, `/spire/agent/${agent}`)
    return this.#report(content, call)
  }

  finish(): void {
    for (const done of this.#commits.splice(0)) done()
  }
}

describe('reportDecisions', () => {
  test('takes one batch of an agent at a time, so that one that sends many is not in the way of others', async () => {
    const server = new SlowServer()
    const first = server.report('a', 1)
    await expect(server.report('a', 2)).rejects.toThrowCode('LIMIT_REACHED', 'are being stored')
    const other = server.report('b', 1)
    server.finish()
    expect(await first).toMatchObject({ batch: 1 })
    expect(await other).toMatchObject({ batch: 1 })
    const next = server.report('a', 2)
    server.finish()
    expect(await next).toMatchObject({ batch: 2 })
  })
})
