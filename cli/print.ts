import { styleText } from 'node:util'
import type { GrpcStatusName } from '../src/errors.ts'
import { SallyportError } from '../src/errors.ts'
import { CONTROLS, escapeControl } from '../src/log/controls.ts'
import { EXIT, type OutputFormat } from './context.ts'

export type Row = Readonly<Record<string, string | number | boolean | undefined>>

/** What a command found: the value for machines, rows or a sentence for people. */
export interface Result {
  readonly value: unknown
  readonly rows?: readonly Row[]
  /** Printed above the table. */
  readonly title?: string
  /** Printed under or instead of the table. */
  readonly sentence?: string
  /** What should be known besides; goes to stderr, so that a pipe gets the result alone. */
  readonly warnings?: readonly string[]
}

/** Prints a result to stdout in the format asked for. */
export async function printResult(result: Result, format: OutputFormat): Promise<void> {
  // Only a terminal has an edge: a file or a pipe gets every column whole.
  process.stdout.write(await renderResult(result, format, process.stdout.columns ?? Number.POSITIVE_INFINITY))
  printWarnings(result.warnings ?? [])
}

/** A result as text that fits into `columns`. */
export async function renderResult(result: Result, format: OutputFormat, columns: number): Promise<string> {
  if (format === 'json') return `${printJson(result.value, 2)}\n`
  if (format === 'yaml') return (await import('../src/config/print-yaml.ts')).printYaml(result.value)
  const table = result.rows === undefined || result.rows.length === 0 ? '' : await renderRows(result.rows, columns)
  const lines = (text: string | undefined): string => (text === undefined ? '' : `${printableLines(text)}\n`)
  return `${lines(result.title)}${table}${lines(result.sentence)}`
}

/** Rows as a table where it fits whole, else each row as a block of its own: an id that is cut cannot be used. */
async function renderRows(rows: readonly Row[], columns: number): Promise<string> {
  const heads = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const cells = rows.map((row) => heads.map((head) => printable(String(row[head] ?? ''))))
  const table = await renderTable(heads, cells)
  return widestLine(table) <= columns ? table : cells.map((row) => renderBlock(heads, row, columns)).join('')
}

async function renderTable(heads: readonly string[], cells: readonly (readonly string[])[]): Promise<string> {
  const { default: Table } = await import('cli-table3')
  const table = new Table({
    head: heads.map((head) => head.toUpperCase()),
    style: { head: [], border: [], compact: true, 'padding-left': 0, 'padding-right': 2 },
    chars: Object.fromEntries(
      [
        'top',
        'top-mid',
        'top-left',
        'top-right',
        'bottom',
        'bottom-mid',
        'bottom-left',
        'bottom-right',
        'left',
        'left-mid',
        'mid',
        'mid-mid',
        'right',
        'right-mid',
        'middle',
      ].map((name) => [name, '']),
    ),
  })
  table.push(...cells.map((row) => [...row]))
  return `${table.toString().replaceAll(/[ \t]+$/gm, '')}\n`
}

/** The first cell, which names the row, and below it the others that say something, broken at spaces alone. */
function renderBlock(heads: readonly string[], [name = '', ...values]: readonly string[], columns: number): string {
  const labels = heads.slice(1)
  const width = Math.max(0, ...labels.map(({ length }) => length))
  const indent = ' '.repeat(width + 4)
  const lines = values.flatMap((value, index) =>
    value === ''
      ? []
      : wrap(value, columns - indent.length).map((line, at) =>
          at === 0 ? `  ${(labels[index] ?? '').padEnd(width)}  ${line}` : `${indent}${line}`,
        ),
  )
  return [name, ...lines, ''].join('\n')
}

/** Lines of at most `columns`, unless a word alone is longer. */
export function wrap(text: string, columns: number): string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && last.length + 1 + word.length <= columns) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}

const widestLine = (text: string): number => Math.max(...text.split('\n').map(({ length }) => length))

/** What others chose to call things must not steer the terminal. */
export const printable = (text: string): string => text.replaceAll(CONTROLS, '\uFFFD')

/** JSON escapes the controls of ASCII itself; the others could steer a terminal, too. */
export const printJson = (value: unknown, indent?: number): string =>
  JSON.stringify(value, undefined, indent).replaceAll(/[\u007F-\u009F]/g, escapeControl)

/** The same of a text of several lines, such as a file that is printed whole. */
const printableLines = (text: string): string => text.replaceAll(/[^\t\n\r]+/g, printable)

export function printWarnings(warnings: readonly string[]): void {
  const word = process.stderr.isTTY ? styleText('yellow', 'warning') : 'warning'
  for (const warning of warnings) process.stderr.write(`${word}: ${printable(warning)}\n`)
}

/** Prints why a command failed and what to do, to stderr; returns the exit code. */
export function printError(error: unknown, format: OutputFormat): number {
  const described = describe(error)
  if (format === 'json') process.stderr.write(`${printJson({ error: described })}\n`)
  else {
    const colour = process.stderr.isTTY
      ? (text: string): string => styleText('red', text)
      : (text: string): string => text
    process.stderr.write(
      `${colour('error')} ${described.code}: ${printableLines(described.message)}\n${described.hint === '' ? '' : `  → ${printableLines(described.hint)}\n`}`,
    )
  }
  return exitCodeOf(described.status)
}

interface DescribedError {
  readonly code: string
  readonly message: string
  readonly hint: string
  readonly status: GrpcStatusName
}

function describe(error: unknown): DescribedError {
  if (error instanceof SallyportError)
    return { code: error.code, message: error.message, hint: error.hint, status: error.row.grpc }
  const other = error as { grpc?: GrpcStatusName; message?: string } & NodeJS.ErrnoException
  if (other.code === 'ERR_MODULE_NOT_FOUND' && other.message?.includes("package 'koffi'"))
    return describe(new SallyportError('KOFFI_MISSING', 'Cannot start: the package koffi is not installed'))
  // A file of the user's: what Node says of it names the path and the reason.
  if (typeof other.syscall === 'string' && typeof other.path === 'string')
    return describe(
      new SallyportError('FILE_UNUSABLE', `Cannot ${other.syscall} ${other.path}: ${other.code ?? 'it failed'}`),
    )
  if (typeof other.grpc === 'string')
    return { code: other.grpc, message: other.message ?? '', hint: '', status: other.grpc }
  return {
    code: 'INTERNAL',
    message: error instanceof Error ? error.message : String(error),
    hint: 'Run it again with DEBUG=1 and report what it prints.',
    status: 'INTERNAL',
  }
}

function exitCodeOf(status: GrpcStatusName): number {
  if (status === 'UNAVAILABLE' || status === 'DEADLINE_EXCEEDED') return EXIT.unreachable
  if (status === 'PERMISSION_DENIED' || status === 'UNAUTHENTICATED') return EXIT.refused
  return status === 'INVALID_ARGUMENT' ? EXIT.usage : EXIT.failed
}

/** `2026-11-23 19:09:10Z (in 9m)` for tables. */
export function printInstant(instant: Date | undefined, now: Date): string {
  if (instant === undefined || instant.getTime() === 0) return 'never'
  const text = `${instant.toISOString().slice(0, 19).replace('T', ' ')}Z`
  const secondsLeft = Math.round((instant.getTime() - now.getTime()) / 1000)
  if (secondsLeft === 0) return `${text} (now)`
  return `${text} (${secondsLeft >= 0 ? `in ${span(secondsLeft)}` : `${span(-secondsLeft)} ago`})`
}

/** `1 agent`, `2 agents`, `1 entry`, `2 entries`. */
export function counted(count: number, singular: string, plural = `${singular}s`): string {
  return `${count} ${count === 1 ? singular : plural}`
}

function span(totalSeconds: number): string {
  if (totalSeconds < 120) return `${totalSeconds}s`
  if (totalSeconds < 7200) return `${Math.round(totalSeconds / 60)}m`
  return totalSeconds < 172_800 ? `${Math.round(totalSeconds / 3600)}h` : `${Math.round(totalSeconds / 86_400)}d`
}

/** Seconds since 1970, as the wire has instants; 0 means none. */
export const fromUnix = (unixSeconds: number): Date | undefined =>
  unixSeconds === 0 ? undefined : new Date(unixSeconds * 1000)
