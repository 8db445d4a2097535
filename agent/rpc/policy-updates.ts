import type { PolicyUpdate, SignedFastLaneEntry, SignedSlice } from '../../src/wire/messages/sallyport-policy-v1.ts'
import type { Signed } from '../policy/signed-content.ts'
import { MESSAGE_BUDGET_BYTES } from './x509-messages.ts'

/** All that an update says apart from the status. */
export type PolicyNews = Omit<PolicyUpdate, 'status'>

/** What the fields of a part take around it. */
const FRAME_BYTES = 256

const NOTHING: PolicyNews = { slices: [], removedIdentities: [], fastLane: [], lifecycle: null, keys: null }

/**
 * An update in as few messages as a client takes: a workload may have several identities, each with a slice that nearly fills one.
 * What forbids goes before what may allow.
 */
export function* inMessages(news: PolicyNews, budgetBytes = MESSAGE_BUDGET_BYTES): Generator<PolicyNews> {
  const { slices, fastLane, ...head } = news
  let entries: SignedFastLaneEntry[] = []
  let some: SignedSlice[] = []
  let message = { ...NOTHING, ...head }
  let bytes = sizeOf(head)
  const isFull = (signed: Signed): boolean => {
    const size = signedSize(signed)
    const isOver = bytes > 0 && bytes + size > budgetBytes
    bytes = isOver ? size : bytes + size
    return isOver
  }
  const taken = (): PolicyNews => {
    const whole = { ...message, fastLane: entries, slices: some }
    message = NOTHING
    entries = []
    some = []
    return whole
  }
  for (const entry of fastLane) {
    if (isFull(entry)) yield taken()
    entries.push(entry)
  }
  for (const slice of slices) {
    if (isFull(slice)) yield taken()
    some.push(slice)
  }
  yield taken()
}

const signedSize = ({ content, signatures }: Signed): number => content.length + FRAME_BYTES * (1 + signatures.length)

function sizeOf({ removedIdentities, lifecycle, keys }: Pick<PolicyNews, 'removedIdentities' | 'lifecycle' | 'keys'>) {
  const ids = removedIdentities.reduce((sum, id) => sum + id.length + 8, 0)
  return ids + [lifecycle, keys].reduce((sum, signed) => sum + (signed === null ? 0 : signedSize(signed)), 0)
}
