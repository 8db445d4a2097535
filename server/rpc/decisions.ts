import { SallyportError } from '../../src/errors.ts'
import type { Handlers } from '../../src/wire/implementation.ts'
import type { DecisionCounter } from '../../src/wire/messages/sallyport-policy-v1.ts'
import type {
  decisionsService,
  DecisionFilter as FilterMessage,
  StoredDecision as DecisionMessage,
  StoredDecisionCounter as CounterMessage,
} from '../../src/wire/messages/sallyport-server-v1.ts'
import type { Sent } from '../../src/wire/service.ts'
import type { DecisionFilter, StoredDecision, StoredDecisionCounter } from '../store/decision-rows.ts'
import { limitOf } from './page.ts'
import type { RpcDeps } from './rpc-deps.ts'

const LIST_MAX = 1_000
const LIST_DEFAULT = 100
const COUNTERS_AT_ONCE = 500
/** How often new records are looked for on behalf of those who follow them. */
const TAIL_INTERVAL_MS = 500

/** `sallyport.server.v1.Decisions`. */
export function decisionsHandlers({ store, clock }: RpcDeps): Handlers<typeof decisionsService> {
  return {
    async list({ filter, limit, beforePosition }) {
      const most = limitOf(limit, LIST_DEFAULT, LIST_MAX)
      const before = beforePosition > 0 ? { before: beforePosition } : {}
      const found = await store.decisions({ ...filterOf(filter), ...before, limit: most })
      const last = found.length === most ? found.at(-1) : undefined
      return { decisions: found.map(decisionMessage), nextPosition: last?.position ?? 0 }
    },

    async get({ id }) {
      const found = await store.decision(id)
      if (found !== undefined) return decisionMessage(found)
      throw new SallyportError('ITEM_NOT_FOUND', `There is no decision ${JSON.stringify(id.slice(0, 100))}`)
    },

    async *tail({ filter, limit }, { signal }) {
      const wanted = filterOf(filter)
      const [newest] = await store.decisions({ limit: 1 })
      let after = newest?.position ?? 0
      if (limit > 0) {
        const found = await store.decisions({ ...wanted, before: after + 1, limit: limitOf(limit, 1, LIST_MAX) })
        yield* found.toReversed().map(decisionMessage)
      }
      for (;;) {
        await clock.sleep(TAIL_INTERVAL_MS, signal)
        const [head] = await store.decisions({ limit: 1, after })
        if (head === undefined) continue
        const found = await store.decisions({ ...wanted, after, before: head.position + 1, limit: LIST_MAX })
        yield* found.toReversed().map(decisionMessage)
        after = head.position
      }
    },

    async *listCounters({ filter }, { signal }) {
      let counters: Sent<CounterMessage>[] = []
      for await (const counter of store.decisionCounters(filterOf(filter))) {
        signal.throwIfAborted()
        counters.push(counterMessage(counter))
        if (counters.length < COUNTERS_AT_ONCE) continue
        yield { counters }
        counters = []
      }
      if (counters.length > 0) yield { counters }
    },
  }
}

function filterOf(message: FilterMessage | null): DecisionFilter {
  if (message === null) return {}
  const { wouldDeny, sinceMs, untilMs, ...texts } = message
  return {
    ...Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== '')),
    ...(wouldDeny ? { wouldDeny } : {}),
    ...(sinceMs > 0 ? { sinceMs } : {}),
    ...(untilMs > 0 ? { untilMs } : {}),
  }
}

const decisionMessage = (row: StoredDecision): Sent<DecisionMessage> => ({
  ...{ id: row.id, agent: row.agent, logId: row.logId, sequence: row.sequence, receivedMs: row.receivedMs },
  ...{ content: Buffer.from(row.content), position: row.position },
})

function counterMessage({ agent, day, key, count, firstMs, lastMs }: StoredDecisionCounter): Sent<CounterMessage> {
  const what = JSON.parse(key) as Omit<DecisionCounter, 'count' | 'firstMs' | 'lastMs'>
  return { agent, day, counter: { ...what, count, firstMs, lastMs } }
}
