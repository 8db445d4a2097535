import { readFileSync, statSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import * as z from 'zod'
import { agentConfig, withAbsolutePaths, type AgentConfig } from '../agent/config.ts'
import { checkConfig, readConfig } from '../src/config/read-config.ts'
import { isJoinString } from '../src/config/join-string.ts'
import type { Log } from '../src/log/log.ts'
import { openLog } from '../src/log/open-log.ts'
import { runDaemon } from '../src/process/daemon.ts'
import { aborted } from '../src/process/run-until-signal.ts'
import { readPemCertificates } from '../src/x509/pem.ts'
import { agentFolder } from './connect.ts'
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
  warnAboutSecrets(config, log)
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

/** A file made by `> join.txt` is open to all; its token is a secret until it is used. */
function warnAboutSecrets({ attestor: { joinFile, joinTokenFile } }: AgentConfig, log: Log): void {
  for (const path of [joinFile, joinTokenFile]) {
    const status = path === undefined ? undefined : statSync(path, { throwIfNoEntry: false })
    if (status === undefined || (status.mode & 0o077) === 0) continue
    const mode = (status.mode & 0o777).toString(8)
    log.warn(
      { path, mode },
      'Other users can read the join token: make the file 0600, or remove it once the agent has joined',
    )
  }
}

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
  const folder = agentFolder(process.env)
  return {
    dataDir: process.getuid?.() === 0 ? '/var/lib/sallyport/agent' : resolve('agent/data'),
    runtimeDir: join(folder, 'state'),
    socket: join(folder, 'api.sock'),
    adminSocket: join(folder, 'private/admin.sock'),
  }
}

/** Paths on the command line count from the folder in which it was typed. */
function optionValues(options: RunAgentOptions): Values {
  const path = (text: string | undefined): string | undefined => (text === undefined ? undefined : resolve(text))
  const trustBundle = path(options.trustBundle)
  return {
    trustDomain: options.trustDomain ?? (trustBundle === undefined ? undefined : trustDomainOf(trustBundle)),
    server: { address: options.server },
    trustBundle,
    attestor: { joinFile: path(options.joinFile), ...tokenFile(path(options.joinTokenFile)) },
    dataDir: path(options.dataDir),
    runtimeDir: path(options.runtimeDir),
    socket: path(options.socket),
    adminSocket: path(options.adminSocket),
  }
}

/** CA certificates name their trust domain, so nobody has to. What cannot be read is reported where it is used. */
function trustDomainOf(path: string): string | undefined {
  try {
    const [first] = readPemCertificates(readFileSync(path, 'utf8'))
    return /^spiffe:\/\/([^/]+)$/.exec(first?.uriSans[0] ?? '')?.[1]
  } catch {
    return undefined
  }
}

/** What `token create` prints is taken for a token too. */
function tokenFile(path: string | undefined): Values {
  if (path === undefined) return {}
  try {
    if (isJoinString(readFileSync(path, 'utf8'))) return { joinFile: path }
  } catch {
    // Not there: after joining it need not be, and before the agent says so.
  }
  return { joinTokenFile: path }
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
