// Copied beside instrumented sources as a test of vitest: tries every mutant of its share against the collected tests.
import { appendFileSync, readFileSync } from 'node:fs'
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

/** The first test that fails; undefined: all hold. */
async function killerOf(mutant: number, skipped: ReadonlySet<string>): Promise<string | undefined> {
  const started = Date.now()
  for (const file of plan.files) {
    vi.resetModules()
    state.mutant = mutant
    state.loopSteps = LOOP_STEPS
    state.collected = []
    try {
      await import(/* @vite-ignore */ file)
    } catch (error) {
      return `${file}: ${String(error).slice(0, 80)}`
    }
    for (const { name, run } of state.collected) {
      if (skipped.has(name)) continue
      if (mutant !== 0 && Date.now() - started > plan.budgetMs) return undefined
      state.loopSteps = LOOP_STEPS
      try {
        await run()
      } catch {
        if (mutant === 0) appendFileSync(plan.results, `${JSON.stringify({ baseline: name })}\n`)
        else return name
        ;(skipped as Set<string>).add(name)
      }
    }
  }
  return undefined
}

test(
  'mutants',
  async () => {
    // What fails without a mutant judges none.
    const skipped = new Set<string>()
    await killerOf(0, skipped)
    for (const id of plan.share) {
      const killer = await killerOf(id, skipped)
      appendFileSync(plan.results, `${JSON.stringify({ id, killer: killer ?? null })}\n`)
    }
    expect(plan.share.length).toBeGreaterThan(0)
  },
  24 * 3_600_000,
)
