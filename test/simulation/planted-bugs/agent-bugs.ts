import { bug, type PlantedBug } from './planted-bug.ts'

/** Mistakes that an agent could make. */
export const agentBugs: readonly PlantedBug[] = [
  bug(
    'the agent acknowledges before it has saved',
    1,
    'agent/node/sessions.ts',
    'await this.#deps.view.settle(state, sequence)\n        this.#stream.acknowledge(state.revision, state.digest)',
    'this.#stream.acknowledge(state.revision, state.digest)\n        await this.#deps.view.settle(state, sequence)',
  ),
  bug(
    'the agent skips an acknowledgement',
    1,
    'agent/node/sessions.ts',
    'this.#stream.acknowledge(state.revision, state.digest)',
    'if (state.revision % 2 === 0) this.#stream.acknowledge(state.revision, state.digest)',
  ),
  bug(
    'the agent drops its saved bundle',
    2,
    'agent/node/saved-state.ts',
    'bundles: bundles.map((bundle) => bundleFromMessage(bundle)),',
    'bundles: [],',
  ),
  {
    name: 'the agent serves what has expired',
    seed: 3,
    edits: [
      {
        file: 'agent/svids/x509-svid-cache.ts',
        search: 'return isLive(svid, this.#deps.clock.now()) && !this.#isRevoked(svid)',
        replace: 'return !this.#isRevoked(svid)',
      },
      {
        file: 'agent/svids/sleep-until-due.ts',
        search: 'next = Math.min(next, notAfter.getTime() - EXPIRY_MARGIN_MS - now)',
        replace: '',
      },
    ],
  },
  bug(
    'the agent asks for ever whether what has expired has expired',
    3,
    'agent/svids/x509-svid-cache.ts',
    'if (!this.#isUsable(svid)) this.#drop(svid.entryId)',
    'if (!this.#isUsable(svid)) continue',
  ),
  bug(
    'the agent does not renew SVIDs',
    1,
    'agent/svids/renewal.ts',
    'renewAt.getTime() <= now.getTime()',
    'renewAt.getTime() <= 0 * now.getTime()',
  ),
  bug(
    'the agent ignores what a change removes',
    2,
    'agent/entries/entitlements.ts',
    'const removed = changes.removedEntryIds.filter((id) => this.#removeEntry(id, concerned))',
    'const removed = changes.removedEntryIds.filter((id) => changes.bundles.length > 0 && this.#removeEntry(id, concerned))',
  ),
  bug(
    'open streams do not hear of removals',
    1,
    'agent/entries/entitlements.ts',
    'this.#index.remove(held)\n    for (const interest of this.#interests.concernedBy(held)) concerned.add(interest)\n    return true',
    'this.#index.remove(held)\n    return true',
  ),
  bug(
    'the agent acknowledges policy without saving it',
    3,
    'agent/policy/policy-holder.ts',
    'this.#save(version), this.#readers.delivered(version)',
    'this.#readers.delivered(version)',
  ),
  bug(
    'the agent gives out what is in quarantine',
    3,
    'agent/svids/x509-states.ts',
    'if (withheld.size === 0) return entries',
    'if (withheld.size < 9) return entries',
  ),
  bug(
    'open streams do not hear of a quarantine',
    3,
    'agent/entries/entitlements.ts',
    'if (concerned.size > 0) this.#sequence++',
    'concerned.clear()',
  ),
  bug(
    'a quarantine is acknowledged before it has reached the streams',
    21,
    'agent/policy/policy-holder.ts',
    ', this.#withheldDelivered()])',
    '])',
  ),
  bug(
    'a quarantine is not taken up after a restart',
    59,
    'agent/policy/policy-holder.ts',
    'this.#become(found?.state ?? NO_POLICY)',
    'this.#state = found?.state ?? NO_POLICY',
  ),
  bug(
    'the agent gives out WIT-SVIDs of who is in quarantine',
    8,
    'agent/svids/wit-states.ts',
    '!matched.withheld.has(spiffeId.toString())',
    "!matched.withheld.has('')",
  ),
  bug(
    'the agent gives out WIT-SVIDs that have expired',
    20,
    'agent/svids/wit-svid-cache.ts',
    'return svid !== undefined && isLive(svid, this.#deps.clock.now()) ? svid : undefined',
    'return svid',
  ),
]
