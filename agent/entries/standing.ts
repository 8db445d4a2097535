/** That nothing of an identity is given out at present, and why. */
export interface Withheld {
  readonly why: 'quarantined' | 'offboarded'
  /**
   * False while each of its quarantines keeps the same conduits open: the X509-SVID that is held stays in use for them, because
   * without one nothing could come through (ZO-03). Tokens are withheld all the same.
   */
  readonly isX509Withheld: boolean
}

/** What lifecycle says of the identities of this node, by the fast lane as far as the agent holds it (zones.md §3.11). */
export interface Standing {
  withheld(spiffeId: string): Withheld | undefined
  /** Why nobody may go by what an identity shows, wherever it runs, also of another trust domain; undefined: it is in good standing. */
  stopped(spiffeId: string): Withheld['why'] | undefined
  /** @param serialNumber hex, lower case, no leading zeros */
  isRevoked(spiffeId: string, serialNumber: string): boolean
}

export const GOOD_STANDING: Standing = { withheld: () => undefined, stopped: () => undefined, isRevoked: () => false }

/** Withheld and revoked is what either says; of both, the first one says why. */
export const eitherOf = (first: Standing, second: Standing): Standing => ({
  withheld: (spiffeId) => first.withheld(spiffeId) ?? second.withheld(spiffeId),
  stopped: (spiffeId) => first.stopped(spiffeId) ?? second.stopped(spiffeId),
  isRevoked: (spiffeId, serial) => first.isRevoked(spiffeId, serial) || second.isRevoked(spiffeId, serial),
})

/** Would a workload notice the difference? */
export const isSameWithheld = (a: Withheld | undefined, b: Withheld | undefined): boolean =>
  a?.why === b?.why && a?.isX509Withheld === b?.isX509Withheld

/** For a sentence that begins with the identity. */
export const withheldBecause = (withheld: Pick<Withheld, 'why'> | undefined): string =>
  withheld?.why === 'offboarded' ? 'is offboarded' : 'is in quarantine'
