import type { Log } from './log.ts'

/** A log that drops everything. */
export const silentLog: Log = {
  level: 'silent',
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
}
