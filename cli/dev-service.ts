import { request, type IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { createInterface } from 'node:readline'
import { text } from 'node:stream/consumers'
import type { TLSSocket } from 'node:tls'
import { Command } from 'commander'
import { systemClock } from '../src/clock.ts'
import { enforce } from '../src/enforce/enforce.ts'
import type { Decision } from '../src/policy/decision.ts'
import { exactly } from '../src/id/matcher.ts'
import { runUntilSignal, aborted } from '../src/process/run-until-signal.ts'
import { connectTls } from '../src/tls/connect-tls.ts'
import type { SourceHealth } from '../src/workload/source-health.ts'
import { PolicySource } from '../src/workload/policy-source.ts'
import { X509Source } from '../src/workload/x509-source.ts'
import { DEMO_PORT } from './dev-policy.ts'

/** What a demo service tells the process that started it, one JSON object a line. */
export type DemoEvent =
  | { readonly event: 'watching' }
  | {
      readonly event: 'svid'
      readonly spiffeId: string
      readonly serialNumber: string
      readonly notAfter: string
      readonly atMs: number
    }
  | { readonly event: 'serving'; readonly port: number }
  /** It holds this revision of the policy. */
  | { readonly event: 'policy'; readonly revision: number }
  /** Its enforcement point has decided about somebody else. */
  | ({ readonly event: 'decided'; readonly id: string } & Pick<Decision, 'decision' | 'deniedBy' | 'code'>)
  /** What came back: an HTTP status with the text, or 0 with what ended the connection. */
  | {
      readonly event: 'answered'
      readonly status: number
      readonly answer: string
      readonly decisionId: string
      readonly durationMs: number
    }
  /** Its open connection has been closed by the other side. */
  | { readonly event: 'closed'; readonly atMs: number }
  | { readonly event: 'failed'; readonly message: string }

/** What the process that started it wants a demo service to do. */
export interface DemoCall {
  readonly port: number
  readonly method: string
  readonly path: string
  /** Leave the connection open, and use it again. */
  readonly keep: boolean
}

/** The two services of `sallyport dev`: ordinary workloads that know their name, their socket and each other's id, nothing else. */
export function devServiceCommand(): Command {
  return new Command('dev-service')
    .argument('<name>', 'what the policy calls it')
    .argument('<peer id>', 'who must answer')
    .action(async (name: string, peerId: string) => {
      await runUntilSignal(async (signal) => runService(name, peerId, signal))
    })
}

const tell = (event: DemoEvent): void => void process.stdout.write(`${JSON.stringify(event)}\n`)

async function runService(name: string, peerId: string, signal: AbortSignal): Promise<void> {
  tell({ event: 'watching' })
  const source = await X509Source.open({ signal, timeoutMs: Infinity, onHealth: tellTrouble })
  tellSvid(source)
  source.onChange(() => tellSvid(source))
  const policy = await PolicySource.open({ signal, onHealth: tellTrouble })
  policy.onChange(() => tell({ event: 'policy', revision: policy.current().status.policyRevision }))
  listen(name, source, policy)
  // The starter says whom to call, once both services hold an SVID.
  const caller = new Caller(source, peerId)
  createInterface({ input: process.stdin }).on('line', (line) => {
    void caller.call(JSON.parse(line) as DemoCall).then(tell)
  })
  await aborted(signal)
  await policy.close()
  await source.close()
  process.exit(0)
}

function tellTrouble({ error }: SourceHealth): void {
  if (error !== undefined) tell({ event: 'failed', message: error.message })
}

function tellSvid({ svids }: X509Source): void {
  const [svid] = svids
  if (svid === undefined) return
  const [leaf] = svid.chain
  tell({
    event: 'svid',
    spiffeId: svid.spiffeId.toString(),
    serialNumber: leaf.serialNumber.toString(),
    notAfter: leaf.notAfter.toISOString(),
    atMs: Date.now(),
  })
}

/** All that a service does to be behind both gates: one call. */
function listen(service: string, source: X509Source, policy: PolicySource): void {
  const server = createServer((incoming, response) => {
    response.end(`${service} has seen to ${incoming.method ?? ''} ${incoming.url ?? ''}`)
  })
  enforce(server, source, {
    service,
    policy,
    port: DEMO_PORT,
    onDecision: ({ decision, deniedBy, code }, id) => tell({ event: 'decided', id, decision, deniedBy, code }),
  })
  server.listen(0, '127.0.0.1', () => tell({ event: 'serving', port: (server.address() as AddressInfo).port }))
}

/** A caller that does what it is told and asks no policy, as a stolen one would: it is the other side that decides. */
class Caller {
  readonly #source: X509Source
  readonly #peerId: string
  #kept: TLSSocket | undefined

  constructor(source: X509Source, peerId: string) {
    this.#source = source
    this.#peerId = peerId
  }

  async call({ port, method, path, keep }: DemoCall): Promise<DemoEvent> {
    const startMs = systemClock.monotonicMs()
    const spent = (): number => systemClock.monotonicMs() - startMs
    try {
      const socket = this.#kept ?? (await this.#connect(port, keep))
      const response = await responseOf(socket, { method, path, keep })
      const { statusCode: status = 0, headers } = response
      const decisionId = String(headers['x-sallyport-decision'] ?? '')
      return { event: 'answered', status, answer: await text(response), decisionId, durationMs: spent() }
    } catch (error) {
      return { event: 'answered', status: 0, answer: (error as Error).message, decisionId: '', durationMs: spent() }
    }
  }

  async #connect(port: number, keep: boolean): Promise<TLSSocket> {
    const server = exactly(this.#peerId)
    const to = { host: '127.0.0.1', port }
    const { socket } = await connectTls(this.#source, { to, server, alpnProtocols: ['http/1.1'] })
    if (!keep) return socket
    this.#kept = socket
    socket.on('error', () => undefined)
    socket.once('close', () => {
      this.#kept = undefined
      tell({ event: 'closed', atMs: Date.now() })
    })
    return socket
  }
}

function responseOf(socket: TLSSocket, { method, path, keep }: Omit<DemoCall, 'port'>): Promise<IncomingMessage> {
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const headers = { host: 'demo', connection: keep ? 'keep-alive' : 'close' }
  const sent = request({ createConnection: () => socket, method, path, headers })
  sent.on('response', resolve)
  sent.on('error', reject)
  sent.end()
  return promise
}
