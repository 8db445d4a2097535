import { once } from 'node:events'
import { request } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import type { TLSSocket } from 'node:tls'
import { connectTls, enforce, exactly, PolicySource, X509Source, type X509Identity } from '../../src/index.ts'
import type { TlsSource } from '../../src/tls/tls-source.ts'
import type { ZoneEvent, ZoneOrder } from './zone-process.ts'

// A service of one zone: it enforces what its agent tells it, and calls others when it is told to. What it sees it tells, one JSON
// object a line. Its arguments: its name in the policy, and the port that the policy knows.

const [name = '', policyPort = '0'] = process.argv.slice(2)
const tell = (event: ZoneEvent): void => void process.stdout.write(`${JSON.stringify(event)}\n`)

/** By so much the clock of this process is wrong. */
let offsetMs = 0
const RealDate = Date
globalThis.Date = class extends RealDate {
  constructor(...args: readonly unknown[]) {
    super(...((args.length === 0 ? [RealDate.now() + offsetMs] : args) as [number]))
  }

  static override now(): number {
    return RealDate.now() + offsetMs
  }
} as DateConstructor

const source = await X509Source.open({ timeoutMs: Infinity })
const policy = await PolicySource.open()
policy.onChange(() => tell({ event: 'policy', revision: policy.current().status.policyRevision }))

const server = createServer((incoming, response) => {
  response.end(`${name} has seen to ${incoming.method ?? ''} ${incoming.url ?? ''}`)
})
const enforcer = enforce(server, source, {
  service: name,
  policy,
  port: Number(policyPort),
  onDecision: ({ decision, deniedBy, code, wouldDeny }, id) =>
    tell({ event: 'decided', id, decision, deniedBy, code, wouldDeny }),
  onError: (error) => console.error(error.message),
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')
tell({ event: 'ready', port: (server.address() as AddressInfo).port })

const held = new Set<TLSSocket>()

let kept: X509Identity | undefined

async function connect(port: number, peer: string, by: TlsSource = source): Promise<TLSSocket> {
  const to = { host: '127.0.0.1', port }
  return (await connectTls(by, { to, server: exactly(peer), alpnProtocols: ['http/1.1'] })).socket
}

const identity = (): string => {
  try {
    return source.current().svid.spiffeId.toString()
  } catch {
    return ''
  }
}

async function call({ port, peer, method, path, asKept }: Extract<ZoneOrder, { do: 'call' }>): Promise<ZoneEvent> {
  try {
    const socket = await connect(port, peer, asKept ? { current: () => kept as X509Identity } : source)
    const sent = request({ createConnection: () => socket, method, path, headers: { host: name, connection: 'close' } })
    const answered = once(sent, 'response')
    sent.end()
    const [response] = (await answered) as [Parameters<typeof text>[0] & { statusCode: number; headers: object }]
    const decisionId = (response.headers as Record<string, string>)['x-sallyport-decision'] ?? ''
    await text(response)
    return { event: 'answered', status: response.statusCode, decisionId }
  } catch {
    return { event: 'answered', status: 0, decisionId: '' }
  }
}

/** Opens connections, so many at a time, and leaves them open. */
async function hold({ port, peer, count }: Extract<ZoneOrder, { do: 'hold' }>): Promise<ZoneEvent> {
  let left = count
  const one = async (): Promise<void> => {
    while (left-- > 0) {
      const socket = await connect(port, peer)
      held.add(socket)
      socket.on('error', () => undefined)
      socket.on('close', () => {
        held.delete(socket)
        if (held.size === 0) tell({ event: 'allClosed', atMs: RealDate.now() })
      })
      socket.resume()
    }
  }
  await Promise.all(Array.from({ length: 20 }, one))
  return { event: 'held', count: held.size }
}

function status(): ZoneEvent {
  const { status: told, lifecycle } = policy.current()
  return {
    event: 'status',
    open: [...enforcer.connections].length,
    held: held.size,
    // Of a slice that did not change, the revision is an older one.
    revision: told.policyRevision,
    fastLane: lifecycle.sequence,
    ageMs: policy.ageMs(),
    identity: identity(),
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as ZoneOrder
  if (order.do === 'call') tell(await call(order))
  else if (order.do === 'hold') tell(await hold(order))
  else if (order.do === 'status') tell(status())
  else if (order.do === 'keep') {
    kept = source.current()
    tell({ event: 'kept' })
  } else offsetMs = order.offsetMs
}
