import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Command } from 'commander'
import { systemClock } from '../src/clock.ts'
import { exactly } from '../src/id/matcher.ts'
import { threadPoolCryptography as cryptography } from '../src/key/thread-pool-cryptography.ts'
import { runUntilSignal, aborted } from '../src/process/run-until-signal.ts'
import { connectTls } from '../src/tls/connect-tls.ts'
import { tlsServer } from '../src/tls/tls-server.ts'
import type { TlsSource } from '../src/tls/tls-source.ts'
import { openChannel } from '../src/wire/channel.ts'
import { workloadEndpoint } from '../src/workload/endpoint.ts'
import { WorkloadClient } from '../src/workload/workload-client.ts'
import { openWorkloadSource } from '../src/workload/workload-source.ts'
import type { X509Context } from '../src/workload/x509-context.ts'

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
  | { readonly event: 'served'; readonly peer: string }
  | { readonly event: 'called'; readonly peer: string; readonly answer: string; readonly durationMs: number }
  | { readonly event: 'failed'; readonly message: string }

/** The two services of `sallyport dev`: ordinary workloads that know their socket and each other's id, nothing else. */
export function devServiceCommand(): Command {
  return new Command('dev-service')
    .argument('<peer id>', 'who may call, or must answer')
    .action(async (peerId: string) => {
      await runUntilSignal(async (signal) => runService(peerId, signal))
    })
}

const tell = (event: DemoEvent): void => void process.stdout.write(`${JSON.stringify(event)}\n`)

async function runService(peerId: string, signal: AbortSignal): Promise<void> {
  const transport = openChannel({ address: workloadEndpoint(undefined, process.env) })
  const client = new WorkloadClient({
    transport,
    clock: systemClock,
    onError: (error) => tell({ event: 'failed', message: error.message }),
  })
  tell({ event: 'watching' })
  const source = await openWorkloadSource({ client, signal, onChange: tellSvid })
  listen(source, peerId)
  process.stdin.setEncoding('utf8')
  // The starter says whom to call, once both services hold an SVID.
  process.stdin.on('data', (line: string) => {
    call(source, peerId, Number(line)).catch((error: Error) => tell({ event: 'failed', message: error.message }))
  })
  await aborted(signal)
  await source[Symbol.asyncDispose]()
  await transport.close()
  process.exit(0)
}

function tellSvid({ svids }: X509Context): void {
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

function listen(source: TlsSource, peerId: string): void {
  const http = createServer((_request, response) =>
    response.end(`hello from ${source.current().svid.spiffeId.toString()}`),
  )
  const server = tlsServer({
    source,
    clock: systemClock,
    cryptography,
    client: exactly(peerId),
    onConnection: (socket, peer) => {
      tell({ event: 'served', peer: peer.spiffeId.toString() })
      http.emit('connection', socket)
    },
  })
  server.listen(0, '127.0.0.1', () => tell({ event: 'serving', port: (server.address() as AddressInfo).port }))
}

async function call(source: TlsSource, peerId: string, port: number): Promise<void> {
  const start = systemClock.monotonicMs()
  const { socket, peer } = await connectTls({
    source,
    clock: systemClock,
    cryptography,
    to: { host: '127.0.0.1', port },
    server: exactly(peerId),
  })
  const answer = await new Promise<string>((resolve, reject) => {
    const sent = request(
      { createConnection: () => socket, path: '/', headers: { connection: 'close' } },
      (response) => {
        response.setEncoding('utf8')
        let text = ''
        response.on('data', (part: string) => (text += part))
        response.on('end', () => resolve(text))
      },
    )
    sent.on('error', reject)
    sent.end()
  })
  tell({ event: 'called', peer: peer.spiffeId.toString(), answer, durationMs: systemClock.monotonicMs() - start })
}
