import { Command } from 'commander'
import { styleText } from 'node:util'
import { aborted, runUntilSignal } from '../src/process/run-until-signal.ts'
import { action } from './action.ts'
import type { GlobalOptions } from './context.ts'
import { DevSystem } from './dev-system.ts'
import { wrap } from './print.ts'

interface DevOptions extends GlobalOptions {
  readonly once: boolean
  readonly keep: boolean
}

export function devCommand(): Command {
  return new Command('dev')
    .option('--once', 'end with exit code 0 after the call succeeded, for scripts', false)
    .option('--keep', 'leave the temporary folder behind', false)
    .addHelpText('after', '\nExamples:\n  sallyport dev\n  sallyport dev --once')
    .action(action(runDev))
}

/** The column in which the facts of the timeline begin. */
const FACTS_AT = 41

/** A line of the timeline: when, what, and the facts in grey. */
type Say = (what: string, facts?: string) => void

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
    const call = await system.call(signal)
    say('called', `storefront → orders over mutual TLS in ${call.durationMs.toFixed(1)} ms: "${call.answer}"`)
    if (options.once) return
    say(
      'next renewal',
      services.map((service) => `${service.name} at ${service.renewsAt().toISOString().slice(11, 19)}Z`).join(', '),
    )
    printEnvironment(system)
    await Promise.race([aborted(signal), followRenewals(services, say, signal), system.failed])
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
    const svid = await service.firstSvid(signal)
    say(
      `issued to ${service.name}`,
      `${(svid.atMs - registered).toFixed(0)} ms after the registration, serial ${svid.serialNumber.slice(0, 12)}…, until ${svid.notAfter.slice(11, 19)}Z`,
    )
  }
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

function timeline(): Say {
  const startMs = performance.now()
  const grey = process.stdout.isTTY ? (text: string): string => styleText('dim', text) : (text: string): string => text
  return (what, facts = '') => {
    const at = `${((performance.now() - startMs) / 1000).toFixed(2)}s`.padStart(8)
    const start = `${grey(at)}  ${what.padEnd(FACTS_AT - 11)} `
    const lines = wrap(facts, (process.stdout.columns ?? Number.POSITIVE_INFINITY) - FACTS_AT)
    process.stdout.write(`${start}${lines.map(grey).join(`\n${' '.repeat(FACTS_AT)}`)}\n`)
  }
}

function printEnvironment(system: DevSystem): void {
  process.stdout.write(`
In a second terminal, this system is yours:

  export SALLYPORT_SERVER_SOCKET=${system.serverSocket}
  export SALLYPORT_AGENT_ADMIN_SOCKET=${system.agentAdminSocket}
  export SPIFFE_ENDPOINT_SOCKET=unix:${system.agentSocket}

  sallyport entry list           (in a clone: npx sallyport entry list)
  sallyport status
  sallyport explain --pid ${system.servicePid}

Ctrl-C ends it and leaves nothing behind.

`)
}
