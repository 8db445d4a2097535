import { pino, type Logger } from 'pino'
import { SallyportError } from '../errors.ts'
import { CONTROLS, escapeControl } from './controls.ts'
import { redactedFields } from './fields.ts'
import type { Log, LogLevel } from './log.ts'

export interface LogOptions {
  readonly level: LogLevel
  /** `json` for machines, `text` for a person at a terminal. */
  readonly format: 'json' | 'text'
  readonly write?: (line: string) => void
}

/** Opens the log of a process; lines go to stderr, so that stdout belongs to results. */
export function openLog(options: LogOptions): Log {
  const write = options.write ?? ((line: string) => void process.stderr.write(line))
  const destination = { write: options.format === 'json' ? write : (line: string) => write(textLine(line)) }
  return logOf(
    pino(
      {
        level: options.level,
        base: null,
        timestamp: pino.stdTimeFunctions.isoTime,
        formatters: { level: (label) => ({ level: label }), log: asPlainFields },
        serializers: { err: serializeError },
        redact: redactedFields.flatMap((field) => [field, `*.${field}`]),
      },
      destination,
    ),
  )
}

function logOf(logger: Logger): Log {
  return {
    get level() {
      return logger.level as LogLevel
    },
    set level(level) {
      logger.level = level
    },
    debug: (fields, sentence) => logger.debug(fields, sentence),
    info: (fields, sentence) => logger.info(fields, sentence),
    warn: (fields, sentence) => logger.warn(fields, sentence),
    error: (fields, sentence) => logger.error(fields, sentence),
    child: (fields) => logOf(logger.child(asPlainFields(fields))),
  }
}

/** Ids and instants say themselves what they look like; pino's redaction cannot copy objects with private fields. */
function asPlainFields(fields: Record<string, unknown>): Record<string, unknown> {
  const plain = ([name, value]: [string, unknown]): [string, unknown] => {
    const { toJSON } = (value ?? {}) as { toJSON?: () => unknown }
    return [name, typeof toJSON === 'function' ? toJSON.call(value) : value]
  }
  return Object.fromEntries(Object.entries(fields).map(plain))
}

function serializeError(error: unknown): unknown {
  if (!(error instanceof Error)) return { message: String(error) }
  const { cause } = error
  return {
    ...(error instanceof SallyportError ? { code: error.code, hint: error.hint } : { type: error.name }),
    message: error.message,
    // What we throw on purpose explains itself; the stack of a surprise says where it came from.
    ...(error instanceof SallyportError ? {} : { stack: error.stack }),
    ...(cause === undefined ? {} : { cause: serializeError(cause) }),
  }
}

function textLine(json: string): string {
  const { level, time, msg, ...fields } = JSON.parse(json) as Record<string, unknown>
  const facts = Object.entries(fields).map(
    ([name, value]) =>
      `${name}=${(typeof value === 'string' ? value : JSON.stringify(value)).replaceAll(CONTROLS, escapeControl)}`,
  )
  return `${String(time).slice(11, 23)} ${String(level).toUpperCase().padEnd(5)} ${String(msg)}${facts.length > 0 ? `  ${facts.join(' ')}` : ''}\n`
}
