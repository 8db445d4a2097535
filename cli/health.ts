import { Command, Option } from 'commander'
import { SallyportError } from '../src/errors.ts'
import { healthService } from '../src/wire/messages/grpc-health-v1.ts'
import { action } from './action.ts'
import { agentSocket, serverSocket, withSocket } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import type { Result } from './print.ts'

/** Scripts ask this of processes that may hang. */
const ANSWER_TIMEOUT_MS = 5_000

export function healthCommand(): Command {
  return new Command('health')
    .addOption(new Option('--of <process>', 'which process').choices(['server', 'agent']).default('server'))
    .action(action(checkHealth))
}

async function checkHealth(options: GlobalOptions & { of: 'server' | 'agent' }): Promise<Result> {
  const socket = options.of === 'server' ? serverSocket(options) : agentSocket(options).replace(/^unix:(\/\/)?/, '')
  return withSocket(socket, options.of, async (transport) => {
    const { status } = await transport.client(healthService).check({ service: '' }, { timeoutMs: ANSWER_TIMEOUT_MS })
    if (status === 'SERVING') return { value: { status }, sentence: `The ${options.of} is serving.` }
    throw new SallyportError('NOT_READY', `The ${options.of} is not serving (${status})`, {
      hint: 'Its log says what it waits for.',
    })
  })
}
