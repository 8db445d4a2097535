// Stands in for vitest's `describe` and `test` in the tests that judge mutants: they are collected, and run once for each mutant.
import { expect } from 'vitest'

interface Collected {
  readonly name: string
  readonly run: () => unknown
}

const state = globalThis as unknown as { collected: Collected[] }

export { expect }
export const describe = (_name: string, body: () => void): void => body()

function add(name: string, run: () => unknown): void {
  state.collected.push({ name, run })
}

const each =
  (cases: readonly unknown[]) =>
  (name: string, run: (one: unknown) => unknown): void =>
    cases.forEach((one, index) => add(`${name} #${index}`, () => run(one)))

export const test = Object.assign(add, { for: each, each })
export const it = test
export const beforeEach = (): void => {
  throw new Error('A test that judges mutants must not need a set-up')
}
