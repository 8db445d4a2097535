import { expect, test } from 'vitest'
import { compareEngines } from './compare.ts'

test('both gates decide as Cedar does on an export of its own, conditions that fail included', () => {
  const { questions, counts, disagreements } = compareEngines(1, 150)
  expect(disagreements).toEqual([])
  expect(questions).toBeGreaterThan(3000)
  for (const count of Object.values(counts)) expect(count).toBeGreaterThan(questions / 20)
}, 60_000)
