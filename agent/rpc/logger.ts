import { SallyportError } from '../../src/errors.ts'
import type { Log, LogLevel } from '../../src/log/log.ts'
import { implement, type Implementation } from '../../src/wire/implementation.ts'
import { loggerService } from '../../src/wire/messages/spire-api-agent-logger-v1.ts'
import type { Logger, LogLevel as LogLevelMessage } from '../../src/wire/messages/spire-api-types.ts'

const toMessage: Readonly<Record<LogLevel, LogLevelMessage>> = {
  trace: 'TRACE',
  debug: 'DEBUG',
  info: 'INFO',
  warn: 'WARN',
  error: 'ERROR',
  fatal: 'FATAL',
  silent: 'PANIC',
}
const fromMessage = new Map<LogLevelMessage, LogLevel>(
  Object.entries(toMessage).map(([level, message]) => [message, level as LogLevel]),
)
// The least that SPIRE can say still lets a dying process speak.
fromMessage.set('PANIC', 'fatal')

/** SPIRE's logger service: reads and changes the level of this process's log until it ends. */
export function loggerApi(log: Log): Implementation {
  const launchLevel = log.level
  const state = (): Logger => ({ currentLevel: toMessage[log.level], launchLevel: toMessage[launchLevel] })
  return implement(loggerService, {
    getLogger: async () => state(),
    async setLogLevel({ newLevel }) {
      const level = fromMessage.get(newLevel)
      if (level === undefined) throw new SallyportError('REQUEST_INVALID', `Cannot set the log level to ${newLevel}`)
      log.level = level
      return state()
    },
    async resetLogLevel() {
      log.level = launchLevel
      return state()
    },
  })
}
