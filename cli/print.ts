import { styleText } from 'node:util'
import type { GrpcStatusName } from '../src/errors.ts'
import { SallyportError } from '../src/errors.ts'
import { EXIT, type OutputFormat } from './context.ts'

export type Row = Readonly<Record<string, string | number | boolean | undefined>>

/** What a command found: the value for machines, rows or a sentence for people. */
export interface Result {
  readonly value: unknown
  readonly rows?: readonly Row[]
  /** Printed under or instead of the table. */
  readonly sentence?: string
}

/** Prints a result to stdout in the format asked for. */
export async function printResult(result: Result, format: OutputFormat): Promise<void> {
  // Only a terminal has an edge: a file or a pipe gets every column whole.
  process.stdout.write(await renderResult(result, format, process.stdout.columns ?? Number.POSITIVE_INFINITY))
}

/** A result as text; tables fit into `columns`, cutting the longest column first. */
export async function renderResult(result: Result, format: OutputFormat, columns: number): Promise<string> {
  if (format === 'json') return `${JSON.stringify(result.value, undefined, 2)}\n`
  if (format === 'yaml') return (await import('../src/config/print-yaml.ts')).printYaml(result.value)
  const table = result.rows === undefined || result.rows.length === 0 ? '' : await renderTable(result.rows, columns)
  return `${table}${result.sentence === undefined ? '' : `${result.sentence}\n`}`
}

async function renderTable(rows: readonly Row[], columns: number): Promise<string> {
  const { default: Table } = await import('cli-table3')
  const heads = [...new Set(rows.flatMap((row) => Object.keys(row)))]
  const cells = rows.map((row) => heads.map((head) => String(row[head] ?? '')))
  const widths = fit(
    heads.map((head, index) => Math.max(head.length, ...cells.map((row) => row[index]?.length ?? 0))),
    columns,
  )
  const shorten = (text: string, index: number): string => {
    const width = widths[index] ?? text.length
    return text.length <= width ? text : `${text.slice(0, Math.max(1, width - 1))}…`
  }
  const table = new Table({
    head: heads.map((head, index) => shorten(head.toUpperCase(), index)),
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
  table.push(...cells.map((row) => row.map(shorten)))
  return `${table.toString().replaceAll(/[ \t]+$/gm, '')}\n`
}

const PADDING = 2
const NARROWEST = 8

/** Column widths whose sum with padding is at most `columns`: the widest shrinks first, none below eight; the first, which names the row, last. */
export function fit(wanted: readonly number[], columns: number): number[] {
  const widths = [...wanted]
  const total = (): number => widths.reduce((sum, width) => sum + width + PADDING, 0)
  while (total() > columns) {
    const others = widths.slice(1)
    const shrinkable = others.some((width) => width > NARROWEST) ? others : widths
    const widest = Math.max(...shrinkable)
    if (widest <= NARROWEST) break
    widths[widths.lastIndexOf(widest)] = widest - 1
  }
  return widths
}

/** Prints why a command failed and what to do, to stderr; returns the exit code. */
export function printError(error: unknown, format: OutputFormat): number {
  const described = describe(error)
  if (format === 'json') process.stderr.write(`${JSON.stringify({ error: described })}\n`)
  else {
    const colour = process.stderr.isTTY
      ? (text: string): string => styleText('red', text)
      : (text: string): string => text
    process.stderr.write(
      `${colour('error')} ${described.code}: ${described.message}\n${described.hint === '' ? '' : `  → ${described.hint}\n`}`,
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
  const other = error as { grpc?: GrpcStatusName; message?: string }
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
  return `${text} (${secondsLeft >= 0 ? `in ${span(secondsLeft)}` : `${span(-secondsLeft)} ago`})`
}

function span(totalSeconds: number): string {
  if (totalSeconds < 120) return `${totalSeconds}s`
  if (totalSeconds < 7200) return `${Math.round(totalSeconds / 60)}m`
  return totalSeconds < 172_800 ? `${Math.round(totalSeconds / 3600)}h` : `${Math.round(totalSeconds / 86_400)}d`
}

/** Seconds since 1970, as the wire has instants; 0 means none. */
export const fromUnix = (unixSeconds: number): Date | undefined =>
  unixSeconds === 0 ? undefined : new Date(unixSeconds * 1000)
