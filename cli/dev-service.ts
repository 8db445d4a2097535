import { request } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { Command } from 'commander'
import { systemClock } from '../src/clock.ts'
import { exactly } from '../src/id/matcher.ts'
import { runUntilSignal, aborted } from '../src/process/run-until-signal.ts'
import { connectTls } from '../src/tls/connect-tls.ts'
import { peerOf } from '../src/tls/peer-of.ts'
import { tlsServer } from '../src/tls/tls-server.ts'
import type { TlsSource } from '../src/tls/tls-source.ts'
import type { SourceHealth } from '../src/workload/source-health.ts'
import { X509Source } from '../src/workload/x509-source.ts'

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
  tell({ event: 'watching' })
  const source = await X509Source.open({ signal, timeoutMs: Infinity, onHealth: tellTrouble })
  tellSvid(source)
  source.onChange(() => tellSvid(source))
  listen(source, peerId)
  process.stdin.setEncoding('utf8')
  // The starter says whom to call, once both services hold an SVID.
  process.stdin.on('data', (line: string) => {
    call(source, peerId, Number(line)).catch((error: Error) => tell({ event: 'failed', message: error.message }))
  })
  await aborted(signal)
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

function listen(source: TlsSource, peerId: string): void {
  const server = createServer(tlsServer(source, { allow: exactly(peerId) }), (incoming, response) => {
    tell({ event: 'served', peer: peerOf(incoming).id.toString() })
    response.end(`hello from ${source.current().svid.spiffeId.toString()}`)
  })
  server.listen(0, '127.0.0.1', () => tell({ event: 'serving', port: (server.address() as AddressInfo).port }))
}

async function call(source: TlsSource, peerId: string, port: number): Promise<void> {
  const start = systemClock.monotonicMs()
  const { socket, peer } = await connectTls(source, {
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
  tell({ event: 'called', peer: peer.id.toString(), answer, durationMs: systemClock.monotonicMs() - start })
}
