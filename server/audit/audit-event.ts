import type { AuditEvent } from './record.ts'
import type { AuditEventType } from './event-types.ts'

/** What facts are made of: ids, instants and lists of ids are written as texts. */
export type Fact =
  string | number | boolean | Date | { toString(): string } | readonly { toString(): string }[] | undefined

/** An event with its facts as they are stored. Facts without a value are left out. */
export function auditEvent(type: AuditEventType, at: Date, facts: Readonly<Record<string, Fact>>): AuditEvent {
  const stored: Record<string, string | number | boolean | readonly string[]> = {}
  for (const [name, fact] of Object.entries(facts)) {
    if (fact !== undefined && fact !== '') stored[name] = storedFact(fact)
  }
  return { type, at, facts: stored }
}

function storedFact(fact: Exclude<Fact, undefined>): string | number | boolean | readonly string[] {
  if (typeof fact === 'string' || typeof fact === 'number' || typeof fact === 'boolean') return fact
  if (fact instanceof Date) return fact.toISOString()
  if (isList(fact)) return fact.map(String)
  return String(fact)
}

const isList = (fact: object): fact is readonly { toString(): string }[] => Array.isArray(fact)
