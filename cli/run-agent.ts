import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { agentConfig, withAbsolutePaths, type AgentConfig } from '../agent/config.ts'
import { checkConfig, readConfig } from '../src/config/read-config.ts'
import { openLog } from '../src/log/log.ts'
import { runDaemon } from '../src/process/daemon.ts'
import { aborted } from '../src/process/run-until-signal.ts'
import { runtimeFolder } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { logLevelOption } from './log-level.ts'

interface RunAgentOptions extends GlobalOptions {
  readonly config?: string
  readonly joinFile?: string
  readonly server?: string
  readonly trustDomain?: string
  readonly trustBundle?: string
  readonly joinTokenFile?: string
  readonly dataDir?: string
  readonly runtimeDir?: string
  readonly socket?: string
  readonly adminSocket?: string
  readonly logLevel?: string
}

export async function runAgent(options: RunAgentOptions): Promise<undefined> {
  const config = agentConfigOf(options)
  const log = openLog({ ...config.log, level: logLevelOption(options.logLevel) ?? config.log.level })
  const { openAgent } = await import('../agent/agent.ts')
  await runDaemon(async ({ ready, signal }) => {
    await using agent = await openAgent(config, { log })
    ready()
    await aborted(signal)
    await agent.drain()
  })
  return undefined
}

type Values = Record<string, unknown>

/** The file's values, those of the command line over them, and the usual places under both. */
export function agentConfigOf(options: RunAgentOptions): AgentConfig {
  const path = options.config === undefined ? undefined : resolve(options.config)
  const file: Values = path === undefined ? {} : readConfig(path, z.record(z.string(), z.unknown()))
  const config = checkConfig(
    merged(usualPlaces(), merged(file, optionValues(options))),
    path ?? 'the options of the agent',
    agentConfig,
  )
  return withAbsolutePaths(config, path === undefined ? process.cwd() : dirname(path))
}

function usualPlaces(): Values {
  const folder = join(runtimeFolder(process.env), 'sallyport/agent')
  return {
    runtimeDir: join(folder, 'state'),
    socket: join(folder, 'api.sock'),
    adminSocket: join(folder, 'private/admin.sock'),
  }
}

/** Paths on the command line count from the folder in which it was typed. */
function optionValues(options: RunAgentOptions): Values {
  const path = (text: string | undefined): string | undefined => (text === undefined ? undefined : resolve(text))
  return {
    trustDomain: options.trustDomain,
    server: { address: options.server },
    trustBundle: path(options.trustBundle),
    attestor: { joinFile: path(options.joinFile), joinTokenFile: path(options.joinTokenFile) },
    dataDir: path(options.dataDir),
    runtimeDir: path(options.runtimeDir),
    socket: path(options.socket),
    adminSocket: path(options.adminSocket),
  }
}

function merged(below: Values, above: Values): Values {
  const result: Values = { ...below }
  for (const [name, value] of Object.entries(above)) {
    if (value === undefined) continue
    const under = result[name]
    result[name] = isSection(value) ? merged(isSection(under) ? under : {}, value) : value
  }
  return result
}

const isSection = (value: unknown): value is Values =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
