import type { Change, Mutation, Outcome } from './store.ts'
import { agentOf, type StoredAgent } from './stored-agent.ts'
import { authorityOf, type StoredAuthority } from './stored-authority.ts'
import { bundleOf, type StoredBundle } from './stored-bundle.ts'
import { entryOf, type StoredEntry } from './stored-entry.ts'
import type { FastLaneRow, LifecycleObject, PolicyRevisionRow, PolicyStateRow } from './policy-rows.ts'
import { tokenOf } from './stored-token.ts'
import type { EncodedChange, EncodedConflict } from './writer-protocol.ts'

/** One change as it stands in the change log. */
export type LoggedChange =
  | readonly ['entry', string, StoredEntry | null, StoredEntry | null]
  | readonly ['agent', string, StoredAgent | null, StoredAgent | null]
  | readonly ['bundle', string, StoredBundle | null, StoredBundle | null]
  | readonly ['token', string, null, null]
  | readonly ['authority', string, StoredAuthority | null, StoredAuthority | null]
  | readonly ['policy', string, null, PolicyRevisionRow]
  | readonly ['policyState', string, PolicyStateRow | null, PolicyStateRow]
  | readonly ['lifecycle', string, LifecycleObject | null, LifecycleObject | null]
  | readonly ['fastLane', string, null, FastLaneRow]

/** Reads the text of one row of the change log. */
export function decodeLoggedChanges(text: string): readonly Change[] {
  return (JSON.parse(text) as readonly LoggedChange[]).map(decodeLoggedChange)
}

function decodeLoggedChange(logged: LoggedChange): Change {
  const [kind, key] = logged
  switch (kind) {
    case 'entry':
      return { kind, id: key, before: optional(entryOf, logged[2]), after: optional(entryOf, logged[3]) }
    case 'agent': {
      const [before, after] = [optional(agentOf, logged[2]), optional(agentOf, logged[3])]
      return { kind, spiffeId: spiffeIdOf(before, after), before, after }
    }
    case 'bundle':
      return { kind, trustDomain: key, before: optional(bundleOf, logged[2]), after: optional(bundleOf, logged[3]) }
    case 'token':
      return { kind, hash: key }
    case 'authority':
      return { kind, row: logged[3] === null ? removed(logged[2]) : authorityOf(logged[3]) }
    case 'policy':
      return { kind, row: logged[3] }
    case 'policyState':
      return { kind, row: logged[3] }
    case 'lifecycle':
      return { kind, id: key, before: logged[2] ?? undefined, after: logged[3] ?? undefined }
    case 'fastLane':
      return { kind, row: logged[3] }
  }
}

/** The same change for those who follow in this process: the new value is the very object that was committed. */
export function decodeChange({ kind, key, before }: EncodedChange, mutation: Mutation | undefined): Change {
  switch (kind) {
    case 'entry': {
      const after = mutation !== undefined && 'entry' in mutation ? mutation.entry : undefined
      return { kind, id: key, before: parsed(entryOf, before), after }
    }
    case 'agent': {
      const after = mutation?.kind === 'agent.put' ? mutation.agent : undefined
      const old = parsed(agentOf, before)
      return { kind, spiffeId: spiffeIdOf(old, after), before: old, after }
    }
    case 'bundle': {
      const after = mutation?.kind === 'bundle.put' ? mutation.bundle : undefined
      return { kind, trustDomain: key, before: parsed(bundleOf, before), after }
    }
    case 'token':
      return { kind, hash: key }
    case 'authority':
      return {
        kind,
        row:
          mutation?.kind === 'authority.put'
            ? mutation.row
            : removed(before === null ? null : (JSON.parse(before) as StoredAuthority)),
      }
    case 'lifecycle': {
      const after = mutation?.kind === 'lifecycle.put' ? mutation.row : undefined
      return { kind, id: key, before: parsed((row: LifecycleObject) => row, before), after }
    }
    case 'policy':
    case 'policyState':
    case 'fastLane':
      return documentChange(mutation)
  }
}

function documentChange(mutation: Mutation | undefined): Change {
  if (mutation?.kind === 'policy.put') return { kind: 'policy', row: mutation.row }
  if (mutation?.kind === 'policyState.put') return { kind: 'policyState', row: mutation.row }
  if (mutation?.kind === 'fastLane.append') return { kind: 'fastLane', row: mutation.row }
  throw new TypeError('a change of a document without the document')
}

export function decodeConflict({ index, reason, existingEntry, existingToken }: EncodedConflict): Outcome {
  return {
    ok: false,
    index,
    reason,
    ...(existingEntry === undefined ? {} : { existingEntry: entryOf(JSON.parse(existingEntry) as StoredEntry) }),
    ...(existingToken === undefined ? {} : { existingToken: tokenOf(existingToken) }),
  }
}

function optional<Stored, T>(read: (stored: Stored) => T, stored: Stored | null): T | undefined {
  return stored === null ? undefined : read(stored)
}

function parsed<T>(read: (stored: never) => T, text: string | null): T | undefined {
  return text === null ? undefined : read(JSON.parse(text) as never)
}

function spiffeIdOf<T>(before: { spiffeId: T } | undefined, after: { spiffeId: T } | undefined): T {
  const agent = after ?? before
  if (agent === undefined) throw new TypeError('a change of an agent without the agent')
  return agent.spiffeId
}

function removed(before: StoredAuthority | null): ReturnType<typeof authorityOf> {
  if (before === null) throw new TypeError('a change of an authority without the authority')
  return { ...authorityOf(before), state: 'removed' }
}
