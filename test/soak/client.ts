import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { exactly } from '../../src/id/matcher.ts'
import { X509Source } from '../../src/workload/x509-source.ts'
import { waysToAsk } from './ways.ts'
import { type ClientReport, memoryNow, type ServiceReady } from './messages.ts'

// A service that calls another one all the while, in every way that there is: `client.ts OWN-ID SERVER-ID PORTS REQUESTS-A-SECOND`.
// Each line on its standard input asks for a report.

const [ownId = '', serverId = '', ports = '{}', rate = '0'] = process.argv.slice(2)
const PATIENCE_MS = 10_000
/** Latencies that are looked at: those of the last requests. */
const LATENCIES = 20_000

const source = await X509Source.open({ picker: { spiffeId: ownId } })
const path = source.current().svid.spiffeId.path
const ways = waysToAsk(source, exactly(serverId), JSON.parse(ports) as ServiceReady)
const failed: Record<string, number> = {}
const latencies: number[] = []
let [sent, answered, handshakes] = [0, 0, 0]

async function one([name, ask]: (typeof ways)[number]): Promise<void> {
  const startMs = performance.now()
  const patience = new AbortController()
  sent++
  try {
    const tooLate = sleep(PATIENCE_MS, 'no answer', { signal: patience.signal, ref: false })
    const answer = await Promise.race([ask(), tooLate])
    if (answer !== path) throw new Error(`answered ${answer}`)
    answered++
    if (name === 'handshake') handshakes++
    latencies[answered % LATENCIES] = performance.now() - startMs
  } catch (error) {
    const what = `${name}: ${reasonOf(error)}`
    failed[what] = (failed[what] ?? 0) + 1
  } finally {
    patience.abort()
  }
}

/** The code of the outermost error that has one: fetch wraps what it was told, grpc-js keeps the words alone. */
function reasonOf(error: unknown): string {
  const { code, cause, message } = error as {
    readonly code?: unknown
    readonly cause?: unknown
    readonly message?: string
  }
  if (typeof code === 'string') return code
  return cause === undefined ? (message ?? String(error)) : reasonOf(cause)
}

const report = (): ClientReport => ({
  ...memoryNow(),
  sent,
  answered,
  failed,
  handshakes,
  p99Ms: latencies.toSorted((a, b) => a - b)[Math.floor(latencies.length * 0.99)] ?? NaN,
  health: source.health.status,
})
createInterface({ input: process.stdin })
  .on('line', () => void process.stdout.write(`${JSON.stringify(report())}\n`))
  .on('close', () => process.exit(0))

process.stdout.write('{"ready":true}\n')
for (let [nextMs, index] = [performance.now(), 0]; ; nextMs += 1_000 / Number(rate), index++) {
  await sleep(Math.max(0, nextMs - performance.now()))
  void one(ways[index % ways.length]!)
}
