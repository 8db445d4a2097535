/** One row of the table of checks; `docs/policy-reference.md` is printed from it. */
export interface CheckRow {
  readonly severity: 'error' | 'warning'
  /** What has been found, as a sentence. */
  readonly means: string
  /** What the author does about it, as a sentence. */
  readonly remedy: string
}

/** Everything that `checkPolicy` looks for. Codes are stable: add, never rename. @see zones.md §3.19, §6 */
export const checkCodes = {
  ACTION_WITHOUT_LISTENER: {
    severity: 'error',
    means: 'No listener of the service speaks what a matcher of its actions needs.',
    remedy: 'Add the listener, or remove the matcher.',
  },
  ADMIN_STANDING: {
    severity: 'warning',
    means: 'A conduit gives a zone of an administrative function a path that stands all the time.',
    remedy: 'Make it a grant template, so that the path is there only when somebody needs it.',
  },
  AUDIENCE_NOT_EXTERNAL: {
    severity: 'error',
    means: 'A zone that is not external (target 0) owns audiences.',
    remedy: 'Move the audiences to the zone of target 0 that the tokens are for.',
  },
  AUDIENCE_REPEATED: {
    severity: 'error',
    means: 'Two zones own the same audience.',
    remedy: 'Leave it to one of them.',
  },
  BREAK_GLASS_ONE_PERSON: {
    severity: 'error',
    means: 'A break-glass declaration lets fewer than two people start it.',
    remedy: 'Set `approvals` to 2 or more.',
  },
  BREAK_GLASS_TOO_LONG: {
    severity: 'error',
    means: 'A break-glass declaration lasts longer than 60 minutes.',
    remedy: 'Set `maxDuration` to 60m or less; a session can be started again.',
  },
  CONDUIT_EXTERNAL_ENDLESS: {
    severity: 'error',
    means: 'A conduit from an external zone has no end.',
    remedy: 'Set `valid.until`.',
  },
  CONDUIT_FORBIDDEN: {
    severity: 'error',
    means: 'A hard guard forbids everything that a conduit would open.',
    remedy: 'Remove the conduit, or let the owner of the policy list it in `except` of the guard.',
  },
  CONDUIT_IDENTITY_ELSEWHERE: {
    severity: 'warning',
    means: 'A pattern of a conduit names identities that are not in its zone.',
    remedy: 'Correct the pattern or the zone: the conduit opens nothing for them.',
  },
  CONDUIT_OPEN: {
    severity: 'warning',
    means: 'A conduit opens a path on which no rule allows anything.',
    remedy: 'Remove the conduit, or add the rule that it was meant for.',
  },
  DENY_UNREACHABLE: {
    severity: 'error',
    means:
      'A deny rule is about a service, or an action, that no conduit and no grant reaches: probably it names the wrong one.',
    remedy: 'Correct the rule, or remove it.',
  },
  ENFORCE_ONLY_WITHOUT_OBSERVE: {
    severity: 'error',
    means: 'A zone lists ports to enforce although it enforces all.',
    remedy: 'Remove `enforceOnly`, or set `mode: observe`.',
  },
  FEDERATION_OWN: {
    severity: 'error',
    means: 'The own trust domain is listed as a federated one.',
    remedy: 'Remove it: own ids are placed by the members of zones.',
  },
  FEDERATION_REPEATED: {
    severity: 'error',
    means: 'A trust domain is federated twice.',
    remedy: 'Put all patterns into one entry.',
  },
  FEDERATION_ZONE: {
    severity: 'error',
    means: 'A federated trust domain is placed into a zone that is not external, or that has members of its own.',
    remedy: 'Use a zone of target 0 without members.',
  },
  GRANT_FORBIDDEN: {
    severity: 'error',
    means: 'A hard guard forbids what a grant template would open.',
    remedy: 'Remove the template, or narrow the guard: no grant can cross it.',
  },
  GRANT_TOO_LONG: {
    severity: 'error',
    means: 'A grant template allows grants of more than 8 hours.',
    remedy: 'Set `maxDuration` to 8h or less.',
  },
  GUARD_NEVER: {
    severity: 'error',
    means: 'A guard can never match.',
    remedy: 'Correct its predicates.',
  },
  IDENTITY_AMBIGUOUS: {
    severity: 'error',
    means: 'A registered identity is in more than one zone, and would be refused everywhere.',
    remedy: 'Change the members of the zones, or the labels of the entry, so that one zone remains.',
  },
  ID_REPEATED: {
    severity: 'error',
    means: 'Two objects of one kind have the same name.',
    remedy: 'Rename one of them.',
  },
  LABELS_DIFFER: {
    severity: 'error',
    means: 'Entries of one identity have different labels.',
    remedy: 'Give all entries of the identity the same labels: peers see ids, not entries.',
  },
  LEVEL_BELOW_TARGET: {
    severity: 'warning',
    means: 'What is written lets a zone reach less than its target in one of the requirements of IEC 62443.',
    remedy: 'Do what the message names, or lower the target; `sallyport zone level ZONE` shows all requirements.',
  },
  LISTENER_REPEATED: {
    severity: 'error',
    means: 'A service has two listeners of the same name or port.',
    remedy: 'Remove one of them.',
  },
  MATCHERS_OVERLAP: {
    severity: 'error',
    means: 'One request could be two actions of a service.',
    remedy: 'Narrow one of the matchers.',
  },
  MEMBER_REPEATED: {
    severity: 'error',
    means: 'Two zones claim the same members.',
    remedy: 'Leave them to one zone.',
  },
  OBSERVE_REFUSED: {
    severity: 'error',
    means: 'A crown jewel or a zone of target 3 or 4 observes instead of enforcing.',
    remedy: 'Set `mode: enforce`.',
  },
  OBSERVE_TOO_LONG: {
    severity: 'warning',
    means: 'A zone has been observing for more than 60 days.',
    remedy: 'Look at `sallyport zone promote ZONE --check` and let it enforce.',
  },
  OUT_DEGREE_HIGH: {
    severity: 'warning',
    means: 'Services can act as more than one other service on average: then most of them lead to most others.',
    remedy:
      'Look at `sallyport paths` for the steps that matter most, narrow their rules, or declare actions that hand nothing over with `pivot: false`.',
  },
  PATTERN_OUTSIDE_FEDERATION: {
    severity: 'warning',
    means: 'A pattern names foreign ids that no federation entry accepts.',
    remedy: 'Add them to `accept`, or correct the pattern: it matches nobody.',
  },
  REFERENCE_UNKNOWN: {
    severity: 'error',
    means: 'Something is named that the policy does not have.',
    remedy: 'Correct the name, or add what it names.',
  },
  REVIEW_PASSED: {
    severity: 'warning',
    means: 'The day by which somebody should have looked at a conduit has passed.',
    remedy: 'Review it, then set the next `review`.',
  },
  RULE_DEAD: {
    severity: 'warning',
    means: 'No conduit lets any subject of a rule reach the service.',
    remedy: 'Remove the rule, or add the conduit.',
  },
  RULE_FOREIGN_BY_ZONE: {
    severity: 'error',
    means: 'An allow rule names a federated zone: foreign ids are allowed only by patterns with their trust domain.',
    remedy: 'Write the ids, such as spiffe://partner.example/billing/**.',
  },
  RULE_REDUNDANT: {
    severity: 'warning',
    means: 'Another rule allows all that a rule allows.',
    remedy: 'Remove the narrower rule.',
  },
  RULE_SHADOWED: {
    severity: 'warning',
    means: 'A deny rule refuses all that a rule allows.',
    remedy: 'Remove the rule that is refused.',
  },
  SERVICE_UNPLACED: {
    severity: 'warning',
    means: 'The identity of a service is in no zone: nobody reaches it.',
    remedy: 'Add it to the members of a zone.',
  },
  SLICE_TOO_LONG: {
    severity: 'warning',
    means:
      'What an identity would have to know of the policy is longer than agents take: it gets nothing, and reaches nothing.',
    remedy:
      'Let fewer services be within its reach: narrow conduits to identities, let zones enforce, place identities by pattern instead of by label.',
  },
  TEST_GATE_MISMATCH: {
    severity: 'error',
    means: 'A test expects a code that the gate it names never reports.',
    remedy: 'Correct the gate or the code.',
  },
  VALIDITY_PASSED: {
    severity: 'warning',
    means: 'Something in the policy has ended.',
    remedy: 'Remove it, or have its owner review it and set `valid` anew.',
  },
  WILDCARD_INTO_HIGH_TARGET: {
    severity: 'warning',
    means: 'A rule lets a whole zone or pattern into a zone of target 3 or 4.',
    remedy: 'Name the identities that need it.',
  },
} as const satisfies Readonly<Record<string, CheckRow>>

export type CheckCode = keyof typeof checkCodes
