// What instrumented sources call. The id of the mutant that acts, and the steps that loops have left, are set by the driver.
import { comparisons } from './instrument.ts'

const state = globalThis as unknown as { mutant: number; loopSteps: number }

const operators: Readonly<Record<string, (a: never, b: never) => unknown>> = {
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '===': (a, b) => a === b,
  '!==': (a, b) => a !== b,
  '+': (a, b) => (a as unknown as number) + (b as unknown as number),
  '-': (a, b) => a - b,
}

export function compare(id: number, operator: string, a: never, b: never): unknown {
  const other = comparisons[operator]?.[state.mutant - id]
  return operators[other ?? operator]?.(a, b)
}

export function logic(id: number, operator: string, left: unknown, right: () => unknown): unknown {
  const change = state.mutant - id
  if (change === 1) return left
  if (change === 2) return right()
  return (operator === '&&') === (change !== 0) ? left && right() : left || right()
}

export const not = (id: number, value: unknown): boolean => (state.mutant === id ? Boolean(value) : !value)

export function test(id: number, condition: () => unknown): unknown {
  if (state.mutant === id) return true
  return state.mutant === id + 1 ? false : condition()
}

export const keep = (id: number): boolean => state.mutant !== id
export const name = (id: number, usual: string, other: string): string => (state.mutant === id ? other : usual)

export function tick(): void {
  if (--state.loopSteps < 0) throw new Error('A loop does not end')
}
