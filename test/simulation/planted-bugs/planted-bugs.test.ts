import { afterAll, describe, expect, test } from 'vitest'
import { plantedBugs } from './catalog.ts'
import { Garden } from './plant.ts'

/** So many seeds may look for a bug, from the one on that found it when it was planted. */
const SEEDS = 60
const SEEDS_WITHOUT = 5

describe('a mistake in a copy of the sources is found', () => {
  const garden = new Garden()
  afterAll(() => garden[Symbol.dispose]())

  test('and nothing is where none was made', { timeout: 240_000 }, async () => {
    const { seeds, how } = await garden.find({ name: 'none', seed: 1, edits: [] }, { seeds: SEEDS_WITHOUT, from: 1 })
    expect(seeds, how).toBeUndefined()
  })

  test.for(plantedBugs.map((bug) => [bug.name, bug] as const))('%s', { timeout: 240_000 }, async ([, bug]) => {
    const { seeds, how } = await garden.find(bug, { seeds: SEEDS, from: bug.seed })
    expect(seeds, how).toBeDefined()
  })
})
