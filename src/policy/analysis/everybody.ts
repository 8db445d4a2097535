import type { IdentityRow } from '../membership.ts'
import type { Tables } from '../tables.ts'
import { Classifier, classedParty, type IdentityClass } from './classes.ts'
import { representatives } from './representatives.ts'

/** The classes of registered identities, and of somebody for each pattern whom nobody has registered yet. */
export function everybody(tables: Tables, rows: readonly IdentityRow[]): IdentityClass[] {
  const classifier = new Classifier(tables)
  const classes = new Map<string, { example: IdentityClass['example']; ids: string[] }>()
  // Registered ones first: they are better examples.
  for (const id of new Set([...rows.map(({ spiffeId }) => spiffeId), ...representatives(tables)])) {
    const party = tables.parties.of(id)
    if (typeof party === 'string') continue
    const key = classifier.keyOf(classedParty(party))
    const found = classes.get(key)
    if (found === undefined) classes.set(key, { example: party, ids: [id] })
    else found.ids.push(id)
  }
  return [...classes.values()]
}
