/**
 * The revisions that WIT-SVIDs and their proofs are built by. None of these documents is Stable: a later one may read and write
 * tokens that this one does not.
 */
export const WIT_REVISION = {
  /** WIT-SVID and the WIT-SVID profile of the Workload API: the SPIFFE standards at this commit, of 2026-07-01. */
  spiffe: '665a28f3253ecdce59f26f3ef29c0d6408b37c3d',
  credentials: 'draft-ietf-wimse-workload-creds-03',
  proofToken: 'draft-ietf-wimse-wpt-02',
  httpSignature: 'draft-ietf-wimse-http-signature-07',
} as const
