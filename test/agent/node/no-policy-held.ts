import type { HeldPolicy } from '../../../src/wire/messages/sallyport-sync-v1.ts'

/** What an agent says of policy before it has heard of any. */
export const NO_POLICY_HELD: HeldPolicy = {
  ...{ epoch: 0, revision: 0, slices: [], fastLaneSequence: 0, keysVersion: 0, keyIds: [] },
}
