/** One edit of one file; `search` occurs exactly once in it. */
export interface Edit {
  readonly file: string
  readonly search: string
  readonly replace: string
}

/** A mistake that somebody could make, as a change of the sources. */
export interface PlantedBug {
  readonly name: string
  readonly edits: readonly Edit[]
}

const bug = (name: string, file: string, search: string, replace: string): PlantedBug => ({
  name,
  edits: [{ file, search, replace }],
})

/** Mistakes that the simulation must find. They exist in a temporary copy of the sources only. */
export const plantedBugs: readonly PlantedBug[] = [
  bug(
    'the agent acknowledges before it has saved',
    'agent/node/sessions.ts',
    'await this.#deps.view.settle(state, sequence)\n        this.#stream.acknowledge(state.revision, state.digest)',
    'this.#stream.acknowledge(state.revision, state.digest)\n        await this.#deps.view.settle(state, sequence)',
  ),
  bug(
    'the agent skips an acknowledgement',
    'agent/node/sessions.ts',
    'this.#stream.acknowledge(state.revision, state.digest)',
    'if (state.revision % 2 === 0) this.#stream.acknowledge(state.revision, state.digest)',
  ),
  bug(
    'the server uses a revision again',
    'server/sync/follower.ts',
    'const to = this.#revisionNow()\n    const change',
    'const to = from\n    const change',
  ),
  bug(
    'the agent drops its saved bundle',
    'agent/node/saved-state.ts',
    'bundles: bundles.map((bundle) => bundleFromMessage(bundle)),',
    'bundles: [],',
  ),
  bug(
    'an authority is activated as soon as it is made',
    'server/authority/rotation.ts',
    "if (row.state === 'prepared') return doing({ do: 'publish', authorityId: row.authorityId })\n  // Prepared",
    "if (row.state === 'prepared') return doing({ do: 'activate', authorityId: row.authorityId, missing: [] })\n  // Prepared",
  ),
  bug(
    'an authority is activated without waiting for agents that are away for a moment',
    'server/authority/rotation.ts',
    'if (now >= limit || (now >= known && missing.length === 0)) {',
    'if (now.getTime() > row.changedAt.getTime()) {',
  ),
  bug(
    'an authority is removed while its SVIDs live',
    'server/authority/rotation.ts',
    'const unneeded = lastSvidEnds > row.changedAt ? lastSvidEnds : row.changedAt',
    'const unneeded = row.changedAt > lastSvidEnds ? lastSvidEnds : new Date(0)',
  ),
  bug(
    'an authority that was replaced goes on signing',
    'server/authority/authorities.ts',
    "find((row) => row.state === 'active' && isInBundle(bundle, row))",
    "find((row) => row.state !== 'prepared' && row.state !== 'published')",
  ),
  {
    name: 'the agent serves what has expired',
    edits: [
      {
        file: 'agent/svids/x509-svid-cache.ts',
        search: 'return svid.notAfter.getTime() - EXPIRY_MARGIN_MS > this.#deps.clock.now().getTime()',
        replace: 'return svid.notAfter.getTime() > 0',
      },
      {
        file: 'agent/svids/x509-svid-cache.ts',
        search: 'next = Math.min(next, svid.notAfter.getTime() - EXPIRY_MARGIN_MS - now)',
        replace: '',
      },
    ],
  },
  bug(
    'the agent asks for ever whether what has expired has expired',
    'agent/svids/x509-svid-cache.ts',
    'if (!this.#isLive(svid)) this.#drop(svid.entryId)',
    'if (!this.#isLive(svid)) continue',
  ),
  bug(
    'the agent does not renew SVIDs',
    'agent/svids/renewal.ts',
    'renewAt.getTime() <= now.getTime()',
    'renewAt.getTime() <= 0 * now.getTime()',
  ),
  bug(
    'the agent ignores what a change removes',
    'agent/entries/entitlements.ts',
    'const removed = changes.removedEntryIds.filter((id) => this.#removeEntry(id, concerned))',
    'const removed = changes.removedEntryIds.filter((id) => changes.bundles.length > 0 && this.#removeEntry(id, concerned))',
  ),
  bug(
    'open streams do not hear of removals',
    'agent/entries/entitlements.ts',
    'this.#index.remove(held)\n    for (const interest of this.#interests.concernedBy(held)) concerned.add(interest)\n    return true',
    'this.#index.remove(held)\n    return true',
  ),
  {
    name: 'a change of an entry does not replace its SVID',
    edits: [
      {
        file: 'agent/svids/x509-svid-cache.ts',
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
    'server/entries/entitlement.ts',
    'const open = [agentId, ...this.#aliasesOf(agentId, now)]',
    "const open = [agentId, 'spiffe://example.org/node/agent-1', ...this.#aliasesOf(agentId, now)]",
  ),
  {
    name: 'a join token is good for several nodes',
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
    'server/sync/followers.ts',
    'for (const follower of this.#all) if (follower.agentId === agentId) this.#recheck(follower)',
    '',
  ),
  bug(
    'an entry is said to be deleted and is not',
    'server/rpc/entry.ts',
    "return { mutations: [{ kind: 'entry.delete', id }], audit }",
    'return { mutations: [], audit }',
  ),
  bug(
    'a renewal whose answer is lost locks an agent out',
    'server/rpc/renew-agent.ts',
    'keyHashes: [...new Set([...keyHashesKept(before), keyHashOf(csr.spki)])],',
    'keyHashes: keyHashesKept(before).length > 9 ? [] : [keyHashOf(csr.spki)],',
  ),
  bug(
    'an agent tries a token with a new key each time',
    'agent/node/join.ts',
    "past.attempt === undefined ? await deps.cryptography.generateKeyPair('ec-p256') : keyPairOf(past.attempt)",
    "await deps.cryptography.generateKeyPair('ec-p256') ?? keyPairOf(past.attempt!)",
  ),
]
