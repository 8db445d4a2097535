import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'

/** An SVID that expires this soon would be refused by the time it is used. */
export const EXPIRY_MARGIN_MS = 1_000

export type SvidKind = 'X509-SVID' | 'WIT-SVID'

/** An SVID that this agent holds for one entry, of whichever kind. */
export interface HeldSvid {
  readonly entryId: string
  /** The entry as it was when this was signed. */
  readonly entryRevision: number
  readonly entryCreatedAt: Date
  readonly spiffeId: SpiffeId
  readonly notAfter: Date
  /** Drawn once. */
  readonly renewAt: Date
  /** Key id of the authority of the trust domain that it goes back to, hex for certificates; undefined when it does not say. */
  readonly authorityKeyId: string | undefined
}

/** Was this signed for the entry as it is now? */
export function isFor(svid: HeldSvid, entry: RegistrationEntry): boolean {
  return (
    svid.entryRevision === entry.revisionNumber &&
    svid.entryCreatedAt.getTime() === entry.createdAt.getTime() &&
    svid.spiffeId.equals(entry.spiffeId)
  )
}

/** Is there time left to use it? */
export const isLive = ({ notAfter }: Pick<HeldSvid, 'notAfter'>, now: Date): boolean =>
  notAfter.getTime() - EXPIRY_MARGIN_MS > now.getTime()
