import { linkHash } from '../store/audit-chain.ts'
import type { AuditPosition, Store } from '../store/store.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { StoredAuditRecord } from './record.ts'

/** Something that should not be so in a journal that nobody touched. */
export interface AuditProblem {
  readonly kind:
    /** Records are missing within the journal. */
    | 'gap'
    /** Records and the hash of their link differ: one was edited, added, or taken from the link. */
    | 'edited'
    /** The journal ends before a position that was told to the outside, or before its own head. */
    | 'cut'
    /** The journal says something else than a checkpoint: it was rewritten from before that point. */
    | 'rewritten'
    /** Records that should still be kept were pruned. */
    | 'pruned'
  readonly sequence: number
  readonly message: string
}

export interface AuditVerdict {
  readonly problems: readonly AuditProblem[]
  readonly start: AuditPosition
  readonly end: AuditPosition
  readonly records: number
  readonly links: number
  /** Checkpoints that were compared; those from before the start of the journal cannot be. */
  readonly compared: number
}

export interface AuditVerification {
  /** Records since this instant must not have been pruned yet. */
  readonly keptSince?: Date
}

/** After this many problems more of them say nothing new. */
const MAX_PROBLEMS = 100

/**
 * Computes the chain again from the oldest kept record and compares it with the stored hashes, with the head that the store
 * names, and with checkpoints from outside. Without checkpoints it cannot find a journal that was cut or rewritten as a whole.
 */
export async function verifyAudit(
  store: Pick<Store, 'audit' | 'auditStart' | 'auditHead'>,
  checkpoints: readonly Checkpoint[],
  { keptSince }: AuditVerification = {},
): Promise<AuditVerdict> {
  // The head first: what is written while the journal is read makes it longer, never shorter.
  const head = store.auditHead()
  const start = await store.auditStart()
  const problems: AuditProblem[] = []
  const tell = (kind: AuditProblem['kind'], sequence: number, message: string): void => {
    if (problems.length < MAX_PROBLEMS) problems.push({ kind, sequence, message })
  }
  const told = new Map<number, Buffer[]>()
  for (const { sequence, hash } of [...checkpoints, head]) told.set(sequence, [...(told.get(sequence) ?? []), hash])
  let end: AuditPosition = start
  let [records, links] = [0, 0]
  compareAt(told, start, tell)
  for await (const link of linksOf(store.audit({ afterSequence: start.sequence }))) {
    const [first, last] = [link[0].sequence, link.at(-1)?.sequence ?? link[0].sequence]
    checkLink(link, end, tell)
    // The stored hash, so that one edited link is one problem and not the end of all that follow.
    end = { sequence: last, hash: link[0].linkHash }
    records += link.length
    links++
    for (let within = first; within < last; within++) {
      if (told.has(within))
        tell('rewritten', within, `a checkpoint names record ${within} as the end of a link, it is not`)
    }
    compareAt(told, end, tell)
  }
  for (const { sequence, at } of checkpoints) {
    if (sequence > end.sequence)
      tell('cut', sequence, `a checkpoint names record ${sequence}, the journal ends at ${end.sequence}`)
    if (sequence < start.sequence && keptSince !== undefined && at >= keptSince) {
      tell('pruned', sequence, `record ${sequence} of ${at.toISOString()} was pruned before its time`)
    }
  }
  if (head.sequence > end.sequence) tell('cut', head.sequence, `the journal should end at record ${head.sequence}`)
  const compared = checkpoints.filter(({ sequence }) => sequence >= start.sequence && sequence <= end.sequence).length
  return { problems, start, end, records, links, compared }
}

type Tell = (kind: AuditProblem['kind'], sequence: number, message: string) => void
type Link = readonly [StoredAuditRecord, ...StoredAuditRecord[]]

function checkLink(link: Link, previous: AuditPosition, tell: Tell): void {
  let expected = previous.sequence + 1
  for (const { sequence } of link) {
    if (sequence !== expected) tell('gap', expected, `records ${expected} to ${sequence - 1} are missing`)
    expected = sequence + 1
  }
  const chained = link.map(({ at, ...record }) => ({ ...record, atMs: at.getTime() }))
  if (linkHash(previous.hash, chained).equals(link[0].linkHash)) return
  const last = expected - 1
  tell('edited', link[0].sequence, `records ${link[0].sequence} to ${last} are not what was hashed`)
}

function compareAt(told: ReadonlyMap<number, readonly Buffer[]>, { sequence, hash }: AuditPosition, tell: Tell): void {
  for (const expected of told.get(sequence) ?? []) {
    if (!expected.equals(hash))
      tell('rewritten', sequence, `the journal up to record ${sequence} is not what a checkpoint says`)
  }
}

/** Records of one link are neighbours with one hash. */
async function* linksOf(records: AsyncIterable<StoredAuditRecord>): AsyncGenerator<Link> {
  let link: [StoredAuditRecord, ...StoredAuditRecord[]] | undefined
  for await (const record of records) {
    if (link !== undefined && link[0].linkHash.equals(record.linkHash)) {
      link.push(record)
      continue
    }
    if (link !== undefined) yield link
    link = [record]
  }
  if (link !== undefined) yield link
}
