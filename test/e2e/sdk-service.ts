import { createInterface } from 'node:readline'
import { BundleSource, isSallyportError, JwtSource, WorkloadClient, X509Source } from '../../src/index.ts'

// A service that holds all three sources over one connection, and tells what it sees, a JSON object a line. A line on its standard
// input asks what it holds now.

const say = (event: object): void => void process.stdout.write(`${JSON.stringify(event)}\n`)
const codeOf = (error: unknown): string | undefined => (isSallyportError(error) ? error.code : undefined)

const client = await WorkloadClient.open()
const x509 = await X509Source.open({
  client,
  onHealth: ({ status, error }) => say({ health: status, code: codeOf(error) }),
})
const [jwt, bundles] = await Promise.all([JwtSource.open({ client }), BundleSource.open({ client })])

function held(): object {
  try {
    const { svid } = x509.current()
    return { serial: svid.chain[0].serialNumber.toString(16), notAfter: svid.chain[0].notAfter.toISOString() }
  } catch (error) {
    return { refused: codeOf(error) }
  }
}

const tell = (): void => {
  globalThis.gc?.()
  const { rss, heapUsed } = process.memoryUsage()
  say({
    held: { ...held(), revision: x509.revision, jwt: jwt.health.status, bundles: bundles.health.status },
    rss,
    heapUsed,
  })
}

x509.onChange(() => say({ changed: held() }))
say({ ready: held() })
for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'stop') break
  if (line.startsWith('token ')) {
    const answer = await jwt.fetch(line.slice('token '.length)).then(
      async ({ token, audience }) => ({ verified: (await jwt.verify(token, audience)).spiffeId.path }),
      (error: unknown) => ({ failed: codeOf(error) }),
    )
    say({ token: answer })
  } else tell()
}
await Promise.all([x509.close(), jwt.close(), bundles.close()])
await client.close()
process.stdin.destroy()
// Nothing is left that keeps the process alive.
