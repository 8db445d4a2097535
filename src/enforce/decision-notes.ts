import type { Decision } from '../policy/decision.ts'
import { VERSION } from '../version.ts'
import type { PolicySource } from '../workload/policy-source.ts'
import { decisionId } from './decision-id.ts'
import { type DecisionJournal, journalOf } from './decision-journal.ts'
import { type DecisionContext, decisionRecord, type Side } from './decision-record.ts'
import type { RecordDraft } from './decision-recorder.ts'
import type { EnforcedConnection } from './enforced-connection.ts'
import type { Asked, PolicyPoint } from './policy-point.ts'

export interface NotesOptions {
  /** What the policy calls the service. */
  readonly service: string
  readonly policy: PolicySource
  /** Told of each decision, after it was recorded. Must not throw. */
  readonly onDecision?: ((decision: Decision, id: string) => void) | undefined
  /** Told of what is retried in the background: reports to the agent. */
  readonly onError?: ((error: Error) => void) | undefined
}

/** What else is known about a decision. */
export interface NoteDetails {
  readonly enforced?: EnforcedConnection | undefined
  /** Why it was decided again. */
  readonly reeval?: string | undefined
  /** Of the request. */
  readonly trace?: string | undefined
}

/** Keeps account of the decisions of one enforcement point. */
export class DecisionNotes {
  readonly #side: Side
  readonly #point: PolicyPoint
  readonly #options: NotesOptions
  readonly #journal: DecisionJournal
  #own: string | null = null

  constructor(side: Side, point: PolicyPoint, options: NotesOptions) {
    this.#side = side
    this.#point = point
    this.#options = options
    this.#journal = journalOf(options.policy, options.onError ?? (() => {}))
    this.#own = point.own ?? null
  }

  /** @returns the name of a decision that refuses, which the caller is told; of any other only where somebody is told it */
  take(asked: Asked, decided: Decision, details: NoteDetails = {}): string {
    const decision = this.#withOwnEnd(decided)
    const nowMs = this.#options.policy.clock.now().getTime()
    const { onDecision } = this.#options
    let id = decision.decision === 'deny' || onDecision !== undefined ? decisionId(nowMs) : ''
    const { port, protocol } = asked.connection
    const { context } = this.#point
    const facts = { side: this.#side, port, protocol, policyRevision: context.status.policyRevision }
    const { recorder, reporter } = this.#journal
    const isUrgent = recorder.take(decision, facts, nowMs, details.reeval !== undefined, () => {
      id ||= decisionId(nowMs)
      return this.#draft(id, nowMs, asked, decision, details)
    })
    if (isUrgent) reporter.hurry()
    onDecision?.(decision, id)
    return id
  }

  /** Resolves when the agent has everything that was noted so far. */
  flushed(): Promise<void> {
    return this.#journal.reporter.flushed()
  }

  /** Without a policy a decision does not know who is the service; this side knows who it is, and speaks for nobody else. */
  #withOwnEnd(decision: Decision): Decision {
    const end = this.#side === 'server' ? 'dst' : 'src'
    if (decision[end].id !== null) return decision
    // Whose SVID has expired is still who it was.
    this.#own = this.#point.own ?? this.#own
    return { ...decision, [end]: { ...decision[end], id: this.#own } }
  }

  /** Everything of this moment now, the rest when it is written. */
  #draft(id: string, nowMs: number, asked: Asked, decision: Decision, details: NoteDetails): RecordDraft {
    const { context, slice, ageMs } = this.#point
    const shadow = this.#point.shadowOf(asked, decision)
    return () => {
      const { policyName: name = '', policyDigest: digest = '' } = slice?.document ?? {}
      const about = this.#contextOf(asked, details, nowMs, shadow)
      return decisionRecord(id, nowMs, decision, about, context, { name, digest, ageMs })
    }
  }

  #contextOf(
    asked: Asked,
    { enforced, reeval, trace }: NoteDetails,
    nowMs: number,
    shadow: Decision | undefined,
  ): DecisionContext {
    const { connection, request, peer } = asked
    return {
      side: this.#side,
      service: this.#options.service,
      version: VERSION,
      connection: {
        id: enforced?.id ?? '',
        openedAtMs: enforced?.openedAtMs ?? nowMs,
        protocol: connection.protocol,
        tls: enforced?.tls ?? null,
        alpn: connection.alpn,
        port: connection.port,
        peerIp: connection.ip,
        peerPort: enforced?.peerPort ?? null,
      },
      peer: 'refused' in peer ? undefined : { serialNumber: peer.serialNumber, notAfterMs: peer.notAfter },
      request:
        request === undefined
          ? undefined
          : { method: request.method, authority: request.authorities[0] ?? null, trace: trace ?? null },
      reeval,
      shadow:
        shadow === undefined ? undefined : { decision: shadow.decision, deniedBy: shadow.deniedBy, code: shadow.code },
    }
  }
}
