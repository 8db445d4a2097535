import { dirname } from 'node:path'

/** A folder and all that it is in, up to the root: whoever may write to one of them may put another in the place of those below. */
export function* foldersUp(path: string): Generator<string> {
  for (let folder = path; ; folder = dirname(folder)) {
    yield folder
    if (folder === dirname(folder)) return
  }
}

/** May others than its owner write to something of this mode? */
export const othersMayWrite = (mode: number): boolean => (mode & 0o022) !== 0

/** May others put something of their own in the place of what is in a folder of this mode? Not in one that is sticky. */
export const othersMayReplace = (mode: number): boolean => othersMayWrite(mode) && (mode & 0o1000) === 0
