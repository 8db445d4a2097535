import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Call } from '../../../src/wire/call.ts'
import { openChannel, type ChannelOptions } from '../../../src/wire/channel.ts'
import type { Transport } from '../../../src/wire/client.ts'
import { implement, type Handlers, type Implementation } from '../../../src/wire/implementation.ts'
import { healthService } from '../../../src/wire/messages/grpc-health-v1.ts'
import { syncService } from '../../../src/wire/messages/sallyport-sync-v1.ts'
import { serve, type ServeOptions, type WireServer } from '../../../src/wire/serve.ts'

/** A folder for sockets that goes with the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'sp-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

export const echo: Handlers<typeof healthService> = {
  check: async ({ service }) => {
    if (service === 'slow') await new Promise(() => undefined)
    return { status: 'SERVING' }
  },
}

/** Answers every message with a heartbeat that holds the message's nonce. */
export const echoStream: Handlers<typeof syncService> = {
  async *follow(messages) {
    for await (const { hello } of messages) yield { heartbeat: { content: hello?.nonce ?? Buffer.alloc(0) } }
  },
}

export const implementations: readonly Implementation[] = [
  implement(healthService, echo),
  implement(syncService, echoStream),
]

export interface Served {
  readonly path: string
  readonly server: WireServer
  readonly channel: Transport
}

/** A server on a temporary unix socket, and a channel to it; both end with the test. */
export async function served(options: Partial<ServeOptions> = {}): Promise<Served> {
  const path = join(temporaryFolder(), 's.sock')
  const server = serve({ implementations, ...options })
  await server.listenUnix(path, { mode: 0o600 })
  onTestFinished(() => server.drain(0))
  return { path, server, channel: channelTo({ address: { unix: path } }) }
}

export function channelTo(options: ChannelOptions): Transport {
  const channel = openChannel(options)
  onTestFinished(() => channel.close())
  return channel
}

/** Resolves when the call is cancelled or over. */
export const untilAborted = ({ signal }: Call): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))

/** Resolves with what was thrown. */
export async function thrownBy(action: Promise<unknown> | AsyncIterable<unknown>): Promise<unknown> {
  try {
    if (action instanceof Promise) await action
    else for await (const message of action) void message
  } catch (error) {
    return error
  }
  return undefined
}

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}
