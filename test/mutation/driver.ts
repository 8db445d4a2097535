// Copied beside instrumented sources as a test of vitest: tries every mutant of its share against the collected tests.
import { appendFileSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { expect, test, vi } from 'vitest'

const plan = JSON.parse(readFileSync(process.env['MUTATION_PLAN'] ?? '', 'utf8')) as {
  readonly files: readonly string[]
  readonly share: readonly number[]
  readonly results: string
  readonly budgetMs: number
}
const state = globalThis as unknown as {
  mutant: number
  loopSteps: number
  collected: { readonly name: string; readonly run: () => unknown }[]
}

const LOOP_STEPS = 5_000_000

/** What fails without a mutant judges none: files that cannot be loaded, and tests by file and name. */
const unfit = new Set<string>()

/** The first test that fails; undefined: all hold. */
async function killerOf(mutant: number): Promise<string | undefined> {
  const started = Date.now()
  const isUnmutated = mutant === 0
  const giveUp = (name: string): void => {
    appendFileSync(plan.results, `${JSON.stringify({ baseline: name })}\n`)
    unfit.add(name)
  }
  for (const file of plan.files) {
    const name = basename(file)
    if (unfit.has(name)) continue
    vi.resetModules()
    state.mutant = mutant
    state.loopSteps = LOOP_STEPS
    state.collected = []
    try {
      await import(/* @vite-ignore */ file)
    } catch (error) {
      if (!isUnmutated) return `${name}: ${String(error).slice(0, 80)}`
      giveUp(name)
      continue
    }
    for (const { name: test, run } of state.collected) {
      const whole = `${name}: ${test}`
      if (unfit.has(whole)) continue
      if (!isUnmutated && Date.now() - started > plan.budgetMs) return undefined
      state.loopSteps = LOOP_STEPS
      try {
        await run()
      } catch {
        if (!isUnmutated) return whole
        giveUp(whole)
      }
    }
  }
  return undefined
}

test(
  'mutants',
  async () => {
    await killerOf(0)
    for (const id of plan.share) {
      const killer = await killerOf(id)
      appendFileSync(plan.results, `${JSON.stringify({ id, killer: killer ?? null })}\n`)
    }
    expect(plan.share.length).toBeGreaterThan(0)
  },
  24 * 3_600_000,
)
