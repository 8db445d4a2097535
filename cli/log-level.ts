import { SallyportError } from '../src/errors.ts'
import { logLevels, type LogLevel } from '../src/log/log.ts'

/** A level named on the command line. */
export function logLevelOption(text: string | undefined): LogLevel | undefined {
  const level = logLevels.find((known) => known === text)
  if (text === undefined || level !== undefined) return level
  throw new SallyportError('REQUEST_INVALID', `Cannot log at level "${text}"`, {
    hint: `Use one of ${logLevels.join(', ')}.`,
  })
}
