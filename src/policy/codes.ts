import type { Stage } from './decision.ts'

/** One row of the table of policy codes; `docs/policy-codes.md` is printed from it. */
export interface CodeRow {
  readonly stage: Stage
  /** Of several codes that a stage could report, the one with the lowest number. */
  readonly precedence: number
  readonly means: string
  readonly remedy: string
}

/** Every reason for a refusal. Codes are stable: add, never rename. */
export const codes = {
  NO_PEER_IDENTITY: {
    stage: 'identity',
    precedence: 1,
    means: 'The peer presented no certificate.',
    remedy: 'Connect with mutual TLS and an X509-SVID.',
  },
} as const satisfies Readonly<Record<string, CodeRow>>

export type Code = keyof typeof codes
