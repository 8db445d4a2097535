import type { HeldSvid } from './held-svid.ts'

/** An authority of the bundle, as far as what it has signed is concerned. */
interface Signer {
  readonly keyId: string | undefined
  readonly tainted: boolean
}

/** What is to be replaced, and whether anybody can verify it until then. */
interface Distrusted {
  readonly entryId: string
  readonly isVerifiable: boolean
}

/** SVIDs of a tainted authority are replaced at once; those of one that is gone cannot be verified by anybody any more. */
export function distrusted(held: Iterable<HeldSvid>, authorities: readonly Signer[]): Distrusted[] {
  const taints = new Map(authorities.map(({ keyId, tainted }) => [keyId, tainted]))
  return [...held].flatMap(({ entryId, authorityKeyId }) => {
    const tainted = taints.get(authorityKeyId)
    return authorityKeyId === undefined || tainted === false ? [] : [{ entryId, isVerifiable: tainted === true }]
  })
}
