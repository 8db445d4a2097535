import { dirname, resolve } from 'node:path'
import { serverConfig, withAbsolutePaths } from '../server/config.ts'
import { readConfig } from '../src/config/read-config.ts'
import { openLog } from '../src/log/open-log.ts'
import { runDaemon } from '../src/process/daemon.ts'
import { aborted } from '../src/process/run-until-signal.ts'
import type { GlobalOptions } from './context.ts'
import { logLevelOption } from './log-level.ts'

export async function runServer(options: GlobalOptions & { config: string; logLevel?: string }): Promise<undefined> {
  const path = resolve(options.config)
  const config = withAbsolutePaths(readConfig(path, serverConfig), dirname(path))
  const log = openLog({ ...config.log, level: logLevelOption(options.logLevel) ?? config.log.level })
  const { openServer } = await import('../server/server.ts')
  await runDaemon(async ({ ready, signal, whenQuiet }) => {
    await using server = await openServer(config, { log })
    whenQuiet(() => server.releaseMemory())
    ready()
    await aborted(signal)
    await server.drain()
  })
  return undefined
}
