import type { LogFields } from './fields.ts'

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/**
 * A log: fields and one fixed sentence. At `error` a person should act, at `warn` may soon; `info` is changed state, `debug`
 * each request.
 */
export interface Log {
  level: LogLevel
  debug(fields: LogFields, sentence: string): void
  info(fields: LogFields, sentence: string): void
  warn(fields: LogFields, sentence: string): void
  error(fields: LogFields, sentence: string): void
  child(fields: LogFields): Log
}

/** A log that drops everything. */
export const silentLog: Log = {
  level: 'silent',
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
}
