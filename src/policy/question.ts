import type { ConditionFacts } from './condition/compile-condition.ts'
import type { LifecycleIndex } from './lifecycle-index.ts'
import { canonicalRequest, connectRequest, type CanonicalRequest } from './match-action.ts'
import { pairOf, type Pair } from './pair.ts'
import type { Party } from './party.ts'
import type { Record } from './record.ts'
import type { PolicyRequest } from './request.ts'
import type { CompiledService, Tables } from './tables.ts'

/** A request whose source is known, with all that the two gates ask for. */
export interface Question {
  readonly tables: Tables
  readonly lifecycle: LifecycleIndex
  readonly request: PolicyRequest
  readonly now: number
  readonly source: Party
  /** Undefined: the policy has no such service. */
  readonly service: CompiledService | undefined
  readonly pair: Pair | undefined
  /** Undefined: a connection on which no request has come yet (case 72). */
  readonly asked: CanonicalRequest | undefined
  readonly facts: ConditionFacts
  /** Undefined unless somebody wants an explanation. */
  readonly record: Record | undefined
  /** The conduits that quarantines leave open; undefined: there is no quarantine. */
  forensics: ReadonlySet<string> | undefined
  /** The earliest instant so far at which the answer can change by itself. */
  expires: number
}

export function questionOf(
  tables: Tables,
  lifecycle: LifecycleIndex,
  request: PolicyRequest,
  source: Party,
  record: Record | undefined,
): Question {
  const service = tables.services.get(request.service)
  const asked = service === undefined ? undefined : askedOf(service, request)
  return {
    tables,
    lifecycle,
    request,
    now: request.now,
    source,
    service,
    pair: service === undefined ? undefined : pairOf(tables, source, service),
    asked,
    facts: factsOf(request, source, service, asked),
    record,
    forensics: undefined,
    expires: Infinity,
  }
}

function askedOf(service: CompiledService, { request, connection }: PolicyRequest): CanonicalRequest | undefined {
  if (request !== undefined) return canonicalRequest(service, request)
  return connection.protocol === 'tcp' ? connectRequest(service.actions) : undefined
}

const NOBODY = { id: undefined, zone: undefined, target: undefined, labels: {} }

function factsOf(
  { request, connection }: PolicyRequest,
  source: Party,
  service: CompiledService | undefined,
  asked: CanonicalRequest | undefined,
): ConditionFacts {
  return {
    src: source.facts,
    dst: service?.party.facts ?? NOBODY,
    method: request?.method,
    route: asked?.actions.at(-1)?.route ?? undefined,
    authority: onlyOne(request?.authorities),
    port: connection.port,
    ip: connection.ip ?? undefined,
  }
}

/** Two authorities that differ are none: a condition must not depend on which came first. */
function onlyOne(authorities: readonly string[] | undefined): string | undefined {
  const [first, ...others] = authorities ?? []
  return others.every((other) => other === first) ? first : undefined
}

/** The answer can change at `instant`, if that is still to come. */
export function changesAt(question: Question, instant: number): void {
  if (instant > question.now && instant < question.expires) question.expires = instant
}
