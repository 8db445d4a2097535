import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { enforce } from '../../src/enforce/enforce.ts'
import type { X509Svid } from '../../src/svid/x509-svid.ts'
import { TestAuthority } from '../../src/testing/test-authority.ts'
import { printPem } from '../../src/x509/pem.ts'
import { PolicyAgent } from '../../test/fakes/policy-agent.ts'
import { heldSvid, TestSource } from '../../test/fakes/test-source.ts'
import { acme, idOf, quarantineOf, rowsOf } from '../../test/src/policy/acme.ts'
import { ask } from '../ask.ts'
import type { CrowdOrder, CrowdReport } from '../tls-crowd-process.ts'

/** Those of the identity that will be in quarantine, and a few of another one, which must stay. */
const CONNECTIONS = 10_000
const OTHERS = 100

const authority = await TestAuthority.create({ trustDomain: acme.trustDomain })
const [orders, storefront, canary] = (await Promise.all(
  ['/ns/shop/sa/orders', '/ns/web/sa/storefront', '/ns/web/sa/canary'].map((path) => heldSvid(authority, path)),
)) as [X509Svid, X509Svid, X509Svid]
const source = new TestSource(orders, authority.bundle())

async function open(crowd: ChildProcess, svid: X509Svid, port: number, count: number): Promise<void> {
  const key = String(svid.privateKey?.export({ type: 'pkcs8', format: 'pem' }))
  crowd.send({ port, count, key, cert: printPem(svid.chain) } satisfies CrowdOrder)
  await once(crowd, 'message')
}

const now = (): number => performance.timeOrigin + performance.now()
const idle = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))

await ask(
  'A quarantine, from the entry at the service to the last connection that is seen to close',
  async ({ isQuick, add }) => {
    const count = isQuick ? 1000 : CONNECTIONS
    const agent = new PolicyAgent()
    agent.apply(acme, rowsOf(acme), idOf('/ns/shop/sa/orders'))
    await using policy = await agent.open()
    // Whoever says nothing would be closed before the last one is open.
    const patient = { ALPNProtocols: ['http/1.1'], headersTimeout: 0, requestTimeout: 0 }
    const server = createServer(patient, (_request, response) => response.end())
    using enforcer = enforce(server, source, { service: 'orders', policy, port: 8443 })
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1024 })
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const crowd = fork(join(import.meta.dirname, '../tls-crowd-process.ts'))
    await open(crowd, canary, port, OTHERS)
    await open(crowd, storefront, port, count)
    while (enforcer.connections.size < count + OTHERS) await idle()

    const startMs = now()
    const closed = once(crowd, 'message')
    agent.tell({ kind: 'quarantine.add', body: quarantineOf({ identity: idOf('/ns/web/sa/storefront') }) })
    while (enforcer.connections.size > OTHERS) await idle()
    const serverMs = now() - startMs
    const [report] = (await closed) as [Exclude<CrowdReport, 'open'>]
    await enforcer.flushed()
    const records = agent.records.filter(({ reeval }) => reeval === 'quarantine.add').length
    add(
      { name: 'connections', value: count, unit: '', atLeast: count },
      { name: 'the first is seen to close', value: report.firstClosedMs - startMs, unit: 'ms' },
      { name: 'the last, at the service', value: serverMs, unit: 'ms' },
      { name: 'the last, at the callers', value: report.lastClosedMs - startMs, unit: 'ms', atMost: 2000 },
      {
        name: 'connections of another identity that stay',
        value: enforcer.connections.size,
        unit: '',
        atLeast: OTHERS,
      },
      { name: 'records of what was closed', value: records, unit: '', atLeast: count },
    )
    crowd.kill()
    server.close()
  },
  { needsPackage: false },
)
