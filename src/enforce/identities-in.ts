import type { FastLaneEvent } from '../policy/fast-lane.ts'

/** The peers and callers whose connections an entry of the fast lane may concern; `all` where it does not name them. */
export function identitiesIn(event: FastLaneEvent): readonly string[] | 'all' {
  switch (event.kind) {
    case 'quarantine.add': {
      const { target } = event.body
      if ('zone' in target) return 'all'
      return 'node' in target ? target.identities : [target.identity]
    }
    case 'offboard':
    case 'serial.revoke':
      return [event.body.spiffeId]
    case 'grant.add':
      return [event.body.subject]
    case 'breakGlass.start':
      return event.body.subjects
    // Whose it was does not stand in them: `endedElevation`.
    case 'grant.end':
    case 'breakGlass.end':
    // What these take back can only let in.
    case 'quarantine.remove':
    case 'reinstate':
    case 'serial.forget':
      return []
  }
}

/** The grant or break-glass session that is no longer what it was: whoever rests on it is concerned, too. */
export function endedElevation(event: FastLaneEvent): string | undefined {
  switch (event.kind) {
    case 'grant.add':
    case 'grant.end':
    case 'breakGlass.start':
    case 'breakGlass.end':
      return event.body.id
    default:
      return undefined
  }
}
