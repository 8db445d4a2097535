import type { SpiffeId } from '../../src/id/spiffe-id.ts'

/** When something was done, and by whom: an id, or such as `local uid 0` for the admin socket; undefined: the server itself. */
export interface Deed {
  readonly at: Date
  readonly callerId?: SpiffeId | string | undefined
}
