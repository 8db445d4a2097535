import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { X509Source } from '../../src/index.ts'
import type { X509Svid } from '../../src/svid/x509-svid.ts'
import { printPem } from '../../src/x509/pem.ts'
import { ask } from '../ask.ts'
import { cpuMsOf } from '../cost.ts'
import { ownSelector } from '../entries.ts'
import { EnforcedProcess } from '../service.ts'
import { NODE_ID, System } from '../system.ts'
import type { CrowdOrder, CrowdReport } from '../tls-crowd-process.ts'
import { CLIENT_ID, zonePolicy } from '../zone-policy.ts'

const QUEUE_ID = 'spiffe://example.org/shop/queue'
const CONNECTIONS = 10_000

type Closed = Exclude<CrowdReport, 'open'>

const now = (): number => performance.timeOrigin + performance.now()

async function open(crowd: ChildProcess, svid: X509Svid, port: number, count: number): Promise<void> {
  const key = String(svid.privateKey?.export({ type: 'pkcs8', format: 'pem' }))
  crowd.send({ port, count, key, cert: printPem(svid.chain), alpn: 'queue' } satisfies CrowdOrder)
  const [report] = (await once(crowd, 'message')) as [CrowdReport]
  if (report !== 'open') throw new Error('Connections closed before anybody was in quarantine')
}

await ask(
  'From `quarantine add` at the server to the last connection that its callers see closed: server, agent, service, callers',
  async ({ isQuick, add }) => {
    const count = isQuick ? 1000 : CONNECTIONS
    await using system = await System.open({ agent: true })
    await system.register(
      [CLIENT_ID, QUEUE_ID].map((spiffeId) => ({ spiffeId, parentId: NODE_ID, selectors: [ownSelector] })),
    )
    await system.policies.apply({ source: zonePolicy({ isOpen: true }), dryRun: false, acceptLoss: true, note: '' })
    const endpoint = `unix://${system.agentSocket}`
    await using source = await X509Source.open({ endpoint, picker: { spiffeId: CLIENT_ID } })
    const { svid } = source.current()
    await using queue = await EnforcedProcess.start(system, 'queue')
    const crowd = fork(join(import.meta.dirname, '../tls-crowd-process.ts'))
    const [first, last, cpu]: [number[], number[], number[]] = [[], [], []]
    for (let round = 0; round < (isQuick ? 2 : 5); round++) {
      await open(crowd, svid, queue.port, count)
      // Those that the service has not announced yet are let in in this time.
      await pause(1000)
      const closed = once(crowd, 'message')
      const cpuBefore = cpuMsOf(queue.pid)
      const startMs = now()
      const { id } = await system.lifecycle.addQuarantine({ identity: CLIENT_ID, forensics: [], reason: 'measured' })
      const [report] = (await closed) as [Closed]
      first.push(report.firstClosedMs - startMs)
      last.push(report.lastClosedMs - startMs)
      cpu.push(cpuMsOf(queue.pid) - cpuBefore)
      await system.lifecycle.removeQuarantine({ id, reason: 'measured' })
      await pause(1000)
    }
    crowd.kill()
    add(
      { name: 'connections', value: count, unit: '', atLeast: isQuick ? 0 : CONNECTIONS },
      { name: 'rounds', value: last.length, unit: '' },
      { name: 'the first one closes: slowest round', value: Math.max(...first), unit: 'ms' },
      { name: 'the last one closes: slowest round', value: Math.max(...last), unit: 'ms', atMost: 2000 },
      // What others do on this machine is not in it.
      { name: '… CPU of the service: slowest round', value: Math.max(...cpu), unit: 'ms', atMost: 1500, scales: true },
    )
  },
)
