/** One edit of one file; `search` occurs exactly once in it. */
export interface Edit {
  readonly file: string
  readonly search: string
  readonly replace: string
}

/** A mistake that somebody could make, as a change of the sources. */
export interface PlantedBug {
  readonly name: string
  /** Where to begin: seeds from here on have found it. */
  readonly seed: number
  readonly edits: readonly Edit[]
}

/** A mistake in one place. */
export const bug = (name: string, seed: number, file: string, search: string, replace: string): PlantedBug => ({
  name,
  seed,
  edits: [{ file, search, replace }],
})
