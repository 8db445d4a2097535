import { Command, Option } from 'commander'
import { systemClock } from '../src/clock.ts'
import { parseDuration } from '../src/config/field-types.ts'
import { SallyportError } from '../src/errors.ts'
import { healthService } from '../src/wire/messages/grpc-health-v1.ts'
import { action } from './action.ts'
import { agentSocket, serverSocket, withSocket } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import type { Result } from './print.ts'

/** Scripts ask this of processes that may hang. */
const ANSWER_TIMEOUT_MS = 5_000
const PAUSE_MS = 100

interface HealthOptions extends GlobalOptions {
  readonly of: 'server' | 'agent'
  readonly wait: string
}

export function healthCommand(): Command {
  return new Command('health')
    .addOption(new Option('--of <process>', 'which process').choices(['server', 'agent']).default('server'))
    .option('--wait <duration>', 'how long to wait for a process that is starting', '0s')
    .addHelpText(
      'after',
      `
Exit codes: 0 it serves, 4 it does not run or is not ready.

Examples:
  sallyport health
  sallyport health --of agent --wait 30s`,
    )
    .action(action(checkHealth))
}

async function checkHealth(options: HealthOptions): Promise<Result> {
  const endMs = systemClock.monotonicMs() + parseDuration(options.wait) * 1000
  for (;;) {
    try {
      return await askOnce(options)
    } catch (error) {
      if (!(error instanceof SallyportError) || error.row.grpc !== 'UNAVAILABLE') throw error
      if (systemClock.monotonicMs() + PAUSE_MS >= endMs) throw error
      await systemClock.sleep(PAUSE_MS)
    }
  }
}

async function askOnce(options: HealthOptions): Promise<Result> {
  // Looked for anew each time: what is starting has not made it yet.
  const socket = options.of === 'server' ? serverSocket(options) : agentSocket(options).replace(/^unix:(\/\/)?/, '')
  return withSocket(socket, options.of, async (transport) => {
    const { status } = await transport.client(healthService).check({ service: '' }, { timeoutMs: ANSWER_TIMEOUT_MS })
    if (status === 'SERVING') return { value: { status }, sentence: `The ${options.of} is serving.` }
    throw new SallyportError('NOT_READY', `The ${options.of} is not serving (${status})`, {
      hint: 'Its log says what it waits for.',
    })
  })
}
