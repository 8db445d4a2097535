import type { Selector } from '../../src/entry/selector.ts'
import type { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { AuditEvent } from '../audit/record.ts'
import type { AttestedAgent, Mutation, StoreConflict } from '../store/store.ts'

/** A whole attestation may take this long, answers of the node included: a node that stalls must not hold a place. */
export const ATTESTATION_TIMEOUT_MS = 20_000

/** A node attestor proves which node wants to join. */
export interface NodeAttestor {
  /** The attestation type, such as `join_token`; also this attestor's section in `server.yaml`. */
  readonly type: string
  /** A longer payload is refused before it is looked at. */
  readonly payloadMaxBytes: number
  /**
   * Finds out who the node is. Yields challenges and is given the node's answers.
   *
   * Only bytes that a verified proof covers may decide what is returned. Throws for a node that proves nothing. Nothing may be
   * written: what has to be is returned as mutations.
   *
   * @throws SallyportError `ATTESTATION_INVALID`, `ATTESTATION_REFUSED` and codes of its own
   */
  attest(payload: Buffer, node: JoiningNode): Attesting
}

/** An attestation under way: challenges out, answers in, at the end who the node is. */
export type Attesting = AsyncGenerator<Buffer, NodeAttestation, Buffer>

/** What an attestor may know of the node that calls. */
export interface JoiningNode {
  /** IP address; undefined over a unix socket. */
  readonly address: string | undefined
  /** SubjectPublicKeyInfo (DER) of the key to be certified; its CSR is verified already. */
  readonly spki: Buffer
}

/** Who the node is, and what must be committed together with its record. */
export interface NodeAttestation {
  readonly agentId: SpiffeId
  readonly selectors: readonly Selector[]
  /** Whether the node may prove itself again in the same way, any time. */
  readonly canReattest: boolean
  /** Where it differs from the attestor's: an agent that returns keeps the type it joined with. */
  readonly attestationType?: string
  /** The record that was proven to be the node's own, and that must not have changed since. */
  readonly returning?: AttestedAgent
  /** Which of that record's keys proved it. */
  readonly provenKeyHash?: string
  /** Such as spending the join token; they come before the agent's record in one transaction. */
  readonly mutations: readonly Mutation[]
  /** What the journal says of them. */
  readonly audit: readonly AuditEvent[]
  /** The refusal when one of the mutations cannot be done. */
  refusalOf(conflict: StoreConflict): Promise<SallyportError>
}
