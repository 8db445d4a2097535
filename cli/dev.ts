import { setTimeout as sleep } from 'node:timers/promises'
import { Command } from 'commander'
import { aborted, runUntilSignal } from '../src/process/run-until-signal.ts'
import { action } from './action.ts'
import type { GlobalOptions } from './context.ts'
import { DevSystem } from './dev-system.ts'
import type { DemoService } from './demo-service-process.ts'
import { playScenes } from './dev-scenes.ts'
import { timeline, type Say } from './dev-timeline.ts'

interface DevOptions extends GlobalOptions {
  readonly once: boolean
  readonly keep: boolean
}

export function devCommand(): Command {
  return new Command('dev')
    .option('--once', 'end with exit code 0 after all went as it is told, for scripts', false)
    .option('--keep', 'leave the temporary folder behind', false)
    .addHelpText('after', '\nExamples:\n  sallyport dev\n  sallyport dev --once')
    .action(action(runDev))
}

async function runDev(options: DevOptions): Promise<undefined> {
  await runUntilSignal(async (signal) => {
    await using system = await DevSystem.create(options.keep)
    const say = timeline()
    say('starting a server, an agent and two services', system.folder)
    await system.startServer(signal)
    say('server ready', `trust domain ${system.trustDomain}, ${system.address}`)
    await system.startAgent(signal)
    say('agent attested', `by join token, now ${system.nodeId}`)
    const services = await system.startServices(signal)
    say('two services wait at the socket', 'unregistered, so held, not refused')
    await showIssuing(system, services, say, signal)
    await applyPolicy(system, services, say, signal)
    const [orders, storefront] = services as [DemoService, DemoService]
    await playScenes({ serverSocket: system.serverSocket, storefront, orders, say, signal })
    if (options.once) return
    say(
      'next renewal',
      services.map((service) => `${service.name} at ${service.renewsAt().toISOString().slice(11, 19)}Z`).join(', '),
    )
    printEnvironment(system)
    const followed = [followRenewals(services, say, signal), followCalls(storefront, orders, say, signal)]
    await Promise.race([aborted(signal), ...followed, system.failed])
    say('stopping', options.keep ? `the folder stays: ${system.folder}` : 'leaving nothing behind')
  })
  return undefined
}

async function showIssuing(
  system: DevSystem,
  services: Awaited<ReturnType<DevSystem['startServices']>>,
  say: Say,
  signal: AbortSignal,
): Promise<void> {
  for (const service of services) {
    const registered = await system.register(service)
    say(`registered ${service.name}`, `${service.spiffeId} = ${service.selectors.join(' and ')}`)
    const svid = await service.svid(signal)
    say(
      `issued to ${service.name}`,
      `${(svid.atMs - registered).toFixed(0)} ms after the registration, serial ${svid.serialNumber.slice(0, 12)}…, until ${svid.notAfter.slice(11, 19)}Z`,
    )
  }
}

/** Applied is one thing, held by those who enforce it another. */
async function applyPolicy(
  system: DevSystem,
  services: readonly DemoService[],
  say: Say,
  signal: AbortSignal,
): Promise<void> {
  const startMs = performance.now()
  const { revision, file } = await system.applyPolicy()
  await Promise.all(services.map((service) => service.next('policy', signal, (told) => told.revision >= revision)))
  say(
    `policy applied, revision ${revision}`,
    `${(performance.now() - startMs).toFixed(0)} ms until both services enforce it: zone web (storefront), zone shop (orders), one conduit, one rule`,
    file,
  )
}

const CALL_EVERY_MS = 1000

/** The storefront goes on calling over one connection; whenever the outcome changes, it is told. */
async function followCalls(storefront: DemoService, orders: DemoService, say: Say, signal: AbortSignal): Promise<void> {
  const call = { port: await orders.port(signal), method: 'GET', path: '/v1/orders/42', keep: true }
  for (let before: string | undefined; ;) {
    const { status, decisionId } = await storefront.call(call, signal)
    const outcome = status === 200 ? 'allowed' : status === 0 ? 'refused at the connection' : `refused with ${status}`
    if (outcome !== before && before !== undefined) {
      const last = status === 200 ? undefined : await lastDecision(orders, decisionId, signal)
      say(`storefront → orders`, outcome, ...(last === undefined ? [] : [`sallyport decisions show ${last}`]))
    }
    before = outcome
    // What closes the connection until the next call is its reason.
    orders.forget('decided')
    await sleep(CALL_EVERY_MS, undefined, { signal }).catch(() => undefined)
  }
}

/** The name of the refusal, which a caller that was not let in is not told. */
async function lastDecision(orders: DemoService, told: string, signal: AbortSignal): Promise<string | undefined> {
  if (told !== '') return told
  const found = await orders.next('decided', signal, ({ decision }) => decision === 'deny', 500).catch(() => undefined)
  return found?.id
}

async function followRenewals(
  services: Awaited<ReturnType<DevSystem['startServices']>>,
  say: Say,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    services.map(async (service) => {
      for await (const svid of service.laterSvids(signal)) {
        say(
          `renewed for ${service.name}`,
          `serial ${svid.serialNumber.slice(0, 12)}…, next at ${service.renewsAt().toISOString().slice(11, 19)}Z`,
        )
      }
    }),
  )
}

function printEnvironment(system: DevSystem): void {
  process.stdout.write(`
In a second terminal, this system is yours:

  export SALLYPORT_SERVER_SOCKET=${system.serverSocket}
  export SALLYPORT_AGENT_ADMIN_SOCKET=${system.agentAdminSocket}
  export SPIFFE_ENDPOINT_SOCKET=unix:${system.agentSocket}

The storefront calls orders once a second. Change something and watch it here (in a clone: npx sallyport …):

  sallyport decisions tail --follow
  sallyport quarantine add /storefront --reason "stolen key"      then: sallyport quarantine rm /storefront
  sallyport policy apply ${system.folder}/policy.yaml             after a change of the file
  sallyport entry list; sallyport status; sallyport explain --pid ${system.servicePid}

Ctrl-C ends it and leaves nothing behind.

`)
}
