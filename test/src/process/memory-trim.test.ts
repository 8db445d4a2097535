import { describe, expect, test } from 'vitest'
import { TrimDecision, type Usage } from '../../../src/process/memory-trim.ts'

const MIB = 1024 * 1024

/** Looks once a second; each step says how busy that second was and how much memory is in use after it. */
function looks(
  decision: TrimDecision,
  steps: readonly { readonly cpuMs: number; readonly usedMib: number }[],
): number[] {
  const due: number[] = []
  let cpuMs = 0
  for (const [second, step] of steps.entries()) {
    cpuMs += step.cpuMs
    const usage: Usage = { atMs: second * 1000, cpuMs, anonymousBytes: step.usedMib * MIB, heapBytes: 20 * MIB }
    if (!decision.isDue(usage)) continue
    due.push(second)
    decision.trimmed({ ...usage, anonymousBytes: 60 * MIB })
  }
  return due
}

const quiet = { cpuMs: 10, usedMib: 120 }
const busy = { cpuMs: 300, usedMib: 120 }
const trimmed = { cpuMs: 10, usedMib: 61 }

describe('memory is given back', () => {
  test('after two quiet seconds, once', () => {
    const steps = [busy, busy, quiet, quiet, ...Array.from({ length: 100 }, () => trimmed)]
    expect(looks(new TrimDecision(), steps)).toEqual([3])
  })

  test('not while there is work', () => {
    const steps = Array.from({ length: 50 }, (_unused, second) => (second % 2 === 0 ? busy : quiet))
    expect(looks(new TrimDecision(), steps)).toEqual([])
  })

  test('again after a burst, and no sooner than ten seconds after the last time', () => {
    const burst = [busy, busy, quiet, quiet, quiet]
    const early = [busy, quiet, quiet, ...burst]
    expect(looks(new TrimDecision(), early)).toEqual([2])
    const late = [busy, quiet, quiet, ...Array.from({ length: 10 }, () => trimmed), ...burst]
    expect(looks(new TrimDecision(), late)).toEqual([2, 16])
  })

  test('not for what is needed anyhow', () => {
    const steps = [busy, quiet, quiet, ...Array.from({ length: 60 }, () => ({ cpuMs: 10, usedMib: 66 }))]
    expect(looks(new TrimDecision(), steps)).toEqual([2])
  })

  test('not for a small part of much', () => {
    const decision = new TrimDecision()
    const at = (second: number, usedMib: number): Usage => ({
      atMs: second * 1000,
      cpuMs: second * 10,
      anonymousBytes: usedMib * MIB,
      heapBytes: 50 * MIB,
    })
    decision.trimmed(at(0, 200))
    const grown = Array.from({ length: 30 }, (_unused, second) => decision.isDue(at(second + 1, 220)))
    expect(grown).not.toContain(true)
    expect(decision.isDue(at(31, 226))).toBe(true)
  })
})
