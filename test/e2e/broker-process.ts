import { createInterface } from 'node:readline'
import { BrokerClient } from '../../src/broker/index.ts'
import { connectTls, exactly, isSallyportError, type X509Source, X509Source as Source } from '../../src/index.ts'

// A broker: fetches for processes that it is told, and connects as them. A JSON object a line on its standard input, and a JSON object
// a line of what came of it.

interface Order {
  readonly do: 'fetch' | 'connect' | 'token' | 'held'
  readonly pid: number
  readonly port?: number
  readonly server?: string
}

const say = (event: object): void => void process.stdout.write(`${JSON.stringify(event)}\n`)
const [server = ''] = process.argv.slice(2)

await using self = await Source.open({ picker: { hint: 'broker' } })
await using broker = await BrokerClient.open({ source: self, server: exactly(server) })
const workloads = new Map<number, Awaited<ReturnType<typeof opened>>>()

async function opened(pid: number) {
  const workload = broker.workload({ pid })
  workload.ended.addEventListener('abort', () => say({ pid, ended: codeOf(workload.ended.reason) }))
  const source = await workload.x509Source({ onHealth: ({ status }) => say({ pid, health: status }) })
  return { workload, source, jwt: await workload.jwtSource() }
}

const codeOf = (error: unknown): string => (isSallyportError(error) ? error.code : String(error))

function idOf(source: X509Source): string {
  try {
    return source.current().svid.spiffeId.path
  } catch (error) {
    return codeOf(error)
  }
}

async function done({ do: what, pid, port = 0, server: wanted = '' }: Order): Promise<object> {
  const held = workloads.get(pid) ?? (await opened(pid))
  workloads.set(pid, held)
  const { source, jwt } = held
  if (what === 'connect') {
    const { socket, peer } = await connectTls(source, { to: { host: '127.0.0.1', port }, server: exactly(wanted) })
    const greeting = await new Promise<string>((resolve) => socket.once('data', (data) => resolve(String(data))))
    socket.destroy()
    return { peer: peer.id.path, greeting }
  }
  if (what === 'token') return { token: (await jwt.fetch('orders')).spiffeId.path }
  return { id: idOf(source), bundles: source.svids.length === 0 ? 0 : source.current().bundles.values().length }
}

say({ ready: self.current().svid.spiffeId.path })
for await (const line of createInterface({ input: process.stdin })) {
  const order = JSON.parse(line) as Order
  const answer = await done(order).catch((error: unknown) => ({ failed: codeOf(error) }))
  say({ answer: order.do, pid: order.pid, ...answer })
}
