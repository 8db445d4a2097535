import { bug, type PlantedBug } from './planted-bug.ts'

/** Mistakes that a server could make. */
export const serverBugs: readonly PlantedBug[] = [
  bug(
    'the server uses a revision again',
    2,
    'server/sync/follower.ts',
    'const to = this.#revisionNow()\n    const change',
    'const to = from\n    const change',
  ),
  bug(
    'an authority is activated as soon as it is made',
    1,
    'server/authority/rotation.ts',
    "if (row.state === 'prepared') return doing({ do: 'publish', authorityId: row.authorityId })\n  // Prepared",
    "if (row.state === 'prepared') return doing({ do: 'activate', authorityId: row.authorityId, missing: [] })\n  // Prepared",
  ),
  bug(
    'an authority is activated without waiting for agents that are away for a moment',
    1,
    'server/authority/rotation.ts',
    'if (now >= limit || (now >= known && missing.length === 0)) {',
    'if (now.getTime() > row.changedAt.getTime()) {',
  ),
  bug(
    'an authority is removed while its SVIDs live',
    1,
    'server/authority/rotation.ts',
    'const unneeded = lastSvidEnds > row.changedAt ? lastSvidEnds : row.changedAt',
    'const unneeded = row.changedAt > lastSvidEnds ? lastSvidEnds : new Date(0)',
  ),
  bug(
    'an authority that was replaced goes on signing',
    1,
    'server/authority/active-authorities.ts',
    "find((row) => row.state === 'active' && isInBundle(bundle, row))",
    "find((row) => row.state !== 'prepared' && row.state !== 'published')",
  ),
  {
    name: 'a change of an entry does not replace its SVID',
    seed: 4,
    edits: [
      {
        file: 'agent/svids/held-svid.ts',
        search: 'svid.entryRevision === entry.revisionNumber &&',
        replace: '',
      },
      {
        file: 'agent/svids/x509-svid-cache.ts',
        search: 'if (entry !== undefined && held !== undefined) this.#order(entry, false)',
        replace: '',
      },
    ],
  },
  bug(
    'agents are sent entries of another node',
    1,
    'server/entries/entitlement.ts',
    'const open = [agentId, ...this.#aliasesOf(agentId, now)]',
    "const open = [agentId, 'spiffe://example.org/node/agent-1', ...this.#aliasesOf(agentId, now)]",
  ),
  {
    name: 'a join token is good for several nodes',
    seed: 2,
    edits: [
      {
        file: 'server/attest/join-token.ts',
        search: "const mutations: Mutation[] = [{ kind: 'token.spend', hash, at, address }]",
        replace: 'const mutations: Mutation[] = []',
      },
      {
        file: 'server/rpc/attest-agent.ts',
        search: 'if (before !== undefined && !canReattest) {',
        replace: 'if (before !== undefined && canReattest) {',
      },
    ],
  },
  {
    name: 'a ban is noted and nothing follows from it',
    seed: 12,
    edits: [
      {
        file: 'server/access/agent-rule.ts',
        search: "if (agent.banned) throw agentRefused('AGENT_BANNED', `Cannot serve ${agentId}: it is banned`)",
        replace: '',
      },
      {
        file: 'server/rpc/agent.ts',
        search:
          "agent: { ...agent, banned: true, serialNumber: '', pendingSerialNumber: undefined, pendingExpiresAt: undefined },",
        replace: 'agent: { ...agent, banned: true },',
      },
    ],
  },
  bug(
    'the stream of an agent that lost its rights goes on',
    5,
    'server/sync/followers.ts',
    'for (const follower of this.#all) if (follower.agentId === agentId) this.#recheck(follower)',
    '',
  ),
  bug(
    'an entry is said to be deleted and is not',
    1,
    'server/rpc/entry.ts',
    "return { mutations: [{ kind: 'entry.delete', id }], audit }",
    'return { mutations: [], audit }',
  ),
  bug(
    'an agent that comes back is told nothing of the fast lane',
    3,
    'server/sync/fast-lane-view.ts',
    'this.#sequence = isSameEpoch ? held.fastLaneSequence : 0',
    'this.#sequence = book.fastLaneSequence',
  ),
  bug(
    'the server signs for who is in quarantine',
    3,
    'server/policy/issuance-gate.ts',
    "if (quarantined) return refused(spiffeId, 'it is in quarantine')",
    '',
  ),
  bug(
    'the server forgets which key its WIT-SVIDs need',
    48,
    'server/authority/issue-wit-svid.ts',
    'authorities.recordLife(authority.authorityId, new Date(template.exp * 1000))',
    '',
  ),
]
