import { once } from 'node:events'
import { type Agent, createServer, get, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { enforce } from '../../src/enforce/enforce.ts'
import { memberOf } from '../../src/id/matcher.ts'
import { httpsAgent } from '../../src/tls/https-agent.ts'
import { protect } from '../../src/tls/tls-server.ts'
import { TestAuthority } from '../../src/testing/test-authority.ts'
import { PolicyAgent } from '../../test/fakes/policy-agent.ts'
import { heldSvid, TestSource } from '../../test/fakes/test-source.ts'
import { acme, idOf, rowsOf, rule } from '../../test/src/policy/acme.ts'
import { ask } from '../ask.ts'
import { sideBySide, type Way } from '../side-by-side.ts'

const CONNECTIONS = 8
const RULES = 5000
/** It takes so many requests until the compiler is done with all that decides. */
const WARM_UP = 40_000
const payload = Buffer.alloc(1000, 'x')
const path = '/ns/shop/sa/orders'

const authority = await TestAuthority.create({ trustDomain: acme.trustDomain })
const members = memberOf(acme.trustDomain)
const [orders, storefront] = await Promise.all(
  [path, '/ns/web/sa/storefront'].map(
    async (one) => new TestSource(await heldSvid(authority, one), authority.bundle()),
  ),
)

/** The worked example, with as many rules as a busy service has. */
const set = {
  ...acme,
  rules: [
    ...acme.rules,
    ...Array.from({ length: RULES }, (_, index) => rule(`r${index}`, [{ pattern: `/ns/web/sa/p${index}` }], 'orders')),
  ],
}
const policyAgent = new PolicyAgent()
policyAgent.apply(set, rowsOf(set), idOf(path))

async function listening(server: Server): Promise<Server> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

const served = (_request: unknown, response: { end(body: Buffer): void }): void => response.end(payload)

/** One request of a client that keeps its connections; what it costs is client, server and TLS together. */
function wayTo(server: Server, agent: Agent, target = '/v1/orders/4711?details=1'): Way {
  const { port } = server.address() as AddressInfo
  const options = { host: '127.0.0.1', port, agent, path: target, headers: { host: 'orders.shop.svc' } }
  return {
    operation: () =>
      new Promise((resolve, reject) => {
        const request = get(options, (response) => {
          if (response.statusCode !== 200) reject(new Error(`answered ${response.statusCode}`))
          response.resume().once('end', resolve)
        })
        request.once('error', reject)
      }),
  }
}

/** By requests and not by time, whatever share of the processor this process gets. */
async function warmUp(ways: readonly Way[]): Promise<void> {
  for (const { operation } of ways) {
    const worker = async (): Promise<void> => {
      for (let count = 0; count < WARM_UP / CONNECTIONS; count++) await operation()
    }
    await Promise.all(Array.from({ length: CONNECTIONS }, worker))
  }
}

await ask(
  `HTTPS requests with enforcement by ${RULES.toLocaleString('en')} rules beside the same server without`,
  async ({ seconds, add }) => {
    await using policy = await policyAgent.open()
    const [without, enforced] = [createServer(served), createServer(served)]
    protect(without, orders!, { allow: members })
    await listening(without)
    using _enforcer = enforce(enforced, orders!, { service: 'orders', policy, port: 8443 })
    await listening(enforced)
    const agents = [0, 1].map(() => httpsAgent(storefront!, { server: members, agent: { maxSockets: CONNECTIONS } }))
    const ways = [wayTo(without, agents[0]!), wayTo(enforced, agents[1]!)] as const
    await warmUp(ways)
    const { ratio, plainMicros, oursMicros } = await sideBySide(...ways, seconds, CONNECTIONS)
    add(
      { name: 'requests/s with enforcement', value: ratio * 100, unit: '% of without', atLeast: 88 },
      { name: '… without: CPU of both sides', value: plainMicros, unit: 'µs' },
      { name: '… with: CPU of both sides', value: oursMicros, unit: 'µs' },
    )
    for (const agent of agents) agent.destroy()
    for (const server of [without, enforced]) server.close()
  },
  { needsPackage: false },
)
