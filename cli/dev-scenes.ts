import { setTimeout as sleep } from 'node:timers/promises'
import { SallyportError } from '../src/errors.ts'
import { decisionsService, lifecycleService, type StoredDecision } from '../src/wire/messages/sallyport-server-v1.ts'
import type { Client } from '../src/wire/client.ts'
import { withSocket } from './connect.ts'
import { explainCommandOf, recordOf } from './decision-record.ts'
import type { DemoService, EventOf } from './demo-service-process.ts'
import type { DemoCall } from './dev-service.ts'
import type { Say } from './dev-timeline.ts'

export interface Stage {
  readonly serverSocket: string
  readonly storefront: DemoService
  readonly orders: DemoService
  readonly say: Say
  readonly signal: AbortSignal
}

const AGAIN_PAUSE_MS = 100
const AGAIN_TRIES = 300

const read = { method: 'GET', path: '/v1/orders/42' } as const

/**
 * What zones do, in four scenes: a call that is allowed, one without a path, one without a right, and a quarantine that closes an
 * open connection. Each must come out as it is told, else this throws.
 */
export async function playScenes(stage: Stage): Promise<void> {
  await allowed(stage)
  await stoppedByMovement(stage)
  await stoppedByAccess(stage)
  await quarantined(stage)
}

async function allowed({ storefront, orders, ...stage }: Stage): Promise<void> {
  const asked = await ask(storefront, orders, { ...read, keep: false }, stage.signal)
  const { answered, decided } = asked
  check(answered.status === 200 && decided.decision === 'allow', 'the storefront was to read an order', asked)
  stage.say(
    'allowed',
    `storefront → orders, ${read.method} ${read.path}, in ${answered.durationMs.toFixed(1)} ms: "${answered.answer}"`,
    // Records of what was allowed are in no hurry: they arrive with the next counts.
    `decision ${decided.id}`,
    `sallyport policy explain --from ${storefront.spiffeId} --to orders --http "${read.method} ${read.path}"`,
  )
}

async function stoppedByMovement({ storefront, orders, ...stage }: Stage): Promise<void> {
  const back = { method: 'GET', path: '/', keep: false }
  const asked = await ask(orders, storefront, back, stage.signal)
  const { answered, decided } = asked
  check(answered.status === 0 && decided.deniedBy === 'movement', 'orders was to have no path to the storefront', asked)
  stage.say(
    'stopped by the movement gate',
    `orders → storefront: ${decided.code}. Conduits have a direction; the connection was closed before a byte of HTTP`,
    ...(await reasons(decided.id, stage)),
  )
}

async function stoppedByAccess({ storefront, orders, ...stage }: Stage): Promise<void> {
  const cancel = { method: 'DELETE', path: read.path, keep: false }
  const asked = await ask(storefront, orders, cancel, stage.signal)
  const { answered, decided } = asked
  const isRefused = answered.status === 403 && decided.deniedBy === 'access' && answered.decisionId === decided.id
  check(isRefused, 'the storefront was to have no right to cancel an order', asked)
  stage.say(
    'stopped by the access gate',
    `storefront → orders, ${cancel.method} ${cancel.path}: 403, ${decided.code}. There is a path, but no right`,
    ...(await reasons(decided.id, stage)),
  )
}

async function quarantined({ storefront, orders, ...stage }: Stage): Promise<void> {
  const { say, signal } = stage
  const asked = await ask(storefront, orders, { ...read, keep: true }, signal)
  const { answered } = asked
  check(answered.status === 200, 'the storefront was to hold a connection open', asked)
  say('a connection is open', `storefront → orders, ${answered.status}; it stays open for the next request`)
  storefront.forget('closed')
  orders.forget('decided')
  const startMs = Date.now()
  await withLifecycle(stage, (lifecycle) =>
    lifecycle.addQuarantine({ identity: storefront.spiffeId, reason: 'the demo shows what it does' }),
  )
  const { atMs } = await storefront.next('closed', signal)
  const decided = await orders.next('decided', signal, ({ deniedBy }) => deniedBy === 'lifecycle')
  say(
    'quarantine closed it',
    `${atMs - startMs} ms after \`sallyport quarantine add ${storefront.spiffeId}\`; its agent gives it no SVID either`,
    `decision ${decided.id}`,
    // It is lifted in a moment: the record is what still says why.
    `sallyport decisions show ${await recorded(decided.id, stage)}`,
  )
  await withLifecycle(stage, (lifecycle) => lifecycle.removeQuarantine({ id: storefront.spiffeId, reason: 'shown' }))
  await allowedAgain(storefront, orders, signal)
  say('quarantine lifted', 'storefront → orders is allowed again')
}

/** Its agent gives it its SVID again when it next asks, within seconds. */
async function allowedAgain(storefront: DemoService, orders: DemoService, signal: AbortSignal): Promise<void> {
  const port = await orders.port(signal)
  for (let tries = 1; ; tries += 1) {
    const answered = await storefront.call({ ...read, port, keep: false }, signal)
    if (answered.status === 200) return
    if (tries === AGAIN_TRIES) {
      throw failed(`the storefront was to be let in again, and got no answer (${answered.answer})`)
    }
    await sleep(AGAIN_PAUSE_MS, undefined, { signal })
  }
}

interface Asked {
  readonly answered: EventOf<'answered'>
  /** By the one who was called. */
  readonly decided: EventOf<'decided'>
}

async function ask(
  from: DemoService,
  to: DemoService,
  call: Omit<DemoCall, 'port'>,
  signal: AbortSignal,
): Promise<Asked> {
  const port = await to.port(signal)
  to.forget('decided')
  const answered = await from.call({ ...call, port }, signal)
  return { answered, decided: await to.next('decided', signal) }
}

/** The name of a decision, and the command that explains it. */
async function reasons(id: string, stage: Pick<Stage, 'serverSocket' | 'signal'>): Promise<string[]> {
  const explain = explainCommandOf(recordOf(await stored(id, stage)))
  return [`decision ${id}`, ...(explain === undefined ? [] : [explain])]
}

const recorded = async (id: string, stage: Pick<Stage, 'serverSocket' | 'signal'>): Promise<string> =>
  (await stored(id, stage)).id

/** The record as it has arrived at the server, by way of the agent. */
function stored(id: string, { serverSocket, signal }: Pick<Stage, 'serverSocket' | 'signal'>): Promise<StoredDecision> {
  return withSocket(serverSocket, 'server', async (transport) => {
    for (let tries = 0; ; tries += 1) {
      signal.throwIfAborted()
      try {
        return await transport.client(decisionsService).get({ id })
      } catch (error) {
        if (!(error instanceof SallyportError) || error.code !== 'ITEM_NOT_FOUND' || tries > 250) throw error
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    }
  })
}

type LifecycleClient = Client<typeof lifecycleService>

function withLifecycle(
  { serverSocket }: Pick<Stage, 'serverSocket'>,
  work: (lifecycle: LifecycleClient) => Promise<unknown>,
): Promise<unknown> {
  return withSocket(serverSocket, 'server', (transport) => work(transport.client(lifecycleService)))
}

function check(holds: boolean, what: string, { answered: { status, answer }, decided }: Asked): void {
  if (holds) return
  const came = status === 0 ? `no answer (${answer})` : `${status} ${answer}`
  const why = [decided.decision, decided.deniedBy, decided.code].filter((part) => part !== null).join(' ')
  throw failed(`${what}, and got ${came}: ${why}`)
}

const failed = (why: string): SallyportError => new SallyportError('DEV_SCENE_FAILED', `Not what zones promise: ${why}`)
