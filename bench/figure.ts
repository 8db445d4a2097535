import type { Machine } from './machine.ts'

/** One measured number beside what it should be. */
export interface Figure {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** `atMost` or `atLeast` this, on the machine that the bars were set on; none: for information. */
  readonly atMost?: number
  readonly atLeast?: number
  /** Whether the bar follows the speed of this machine: true for processor time and for rates that it limits. */
  readonly scales?: boolean
  /** What SPIRE 1.16-dev needed, on the machine that the bars were set on. */
  readonly spire?: string
}

/** The bar on this machine. */
function barOf({ atMost, atLeast, scales = false }: Figure, { slowness }: Machine): number | undefined {
  const factor = scales ? slowness : 1
  return atMost !== undefined ? atMost * factor : atLeast !== undefined ? atLeast / factor : undefined
}

export function isMet(figure: Figure, machine: Machine): boolean | undefined {
  const bar = barOf(figure, machine)
  if (bar === undefined) return undefined
  return figure.atMost !== undefined ? figure.value <= bar : figure.value >= bar
}

/** As a Markdown table, which is readable in a terminal too. */
export function printFigures(question: string, figures: readonly Figure[], machine: Machine): string {
  const rows = figures.map((figure) => {
    const bar = barOf(figure, machine)
    const sign = figure.atMost !== undefined ? '≤' : '≥'
    const stated = figure.atMost ?? figure.atLeast
    const met = isMet(figure, machine)
    return [
      figure.name,
      `${number(figure.value)} ${figure.unit}`,
      stated === undefined ? '' : `${sign} ${number(stated)}`,
      bar === undefined || bar === stated ? '' : `${sign} ${number(bar)}`,
      figure.spire ?? '',
      met === undefined ? '' : met ? 'met' : 'MISSED',
    ]
  })
  return table([[question, 'measured', 'bar', 'bar here', 'SPIRE', ''], ...rows])
}

function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(3, ...rows.map((row) => row[column]?.length ?? 0)))
  const line = (cells: readonly string[]): string =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(' | ')} |`
  const [head = [], ...body] = rows
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)].join('\n')
}

function number(value: number): string {
  if (value >= 100) return Math.round(value).toLocaleString('en')
  return value.toFixed(value >= 10 ? 1 : 2)
}
