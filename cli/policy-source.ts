import { readFile } from 'node:fs/promises'
import { text as textOf } from 'node:stream/consumers'
import { SallyportError } from '../src/errors.ts'
import { NO_LIFECYCLE, type Lifecycle } from '../src/policy/lifecycle.ts'
import type { IdentityRow } from '../src/policy/membership.ts'
import type { PolicySet } from '../src/policy/policy-set.ts'
import { readLifecycle } from '../src/policy/read-fast-lane.ts'
import type { Transport } from '../src/wire/client.ts'
import { lifecycleService, policiesService } from '../src/wire/messages/sallyport-server-v1.ts'

/** The text of a policy file; - is standard input. */
export async function policyText(path: string): Promise<string> {
  // /dev/stdin cannot be opened where standard input is a socket, as it is below many programs.
  const reading = path === '-' ? textOf(process.stdin) : readFile(path, 'utf8')
  return reading.catch((error: unknown) => {
    const why = (error as NodeJS.ErrnoException).code ?? 'it failed'
    throw new SallyportError('FILE_UNUSABLE', `Cannot read ${path}: ${why}`, {
      cause: error,
      hint: 'Check the path; - is standard input.',
    })
  })
}

/** What messages call it. */
export const policyName = (path: string): string => (path === '-' ? 'standard input' : path)

/** A policy with what is registered, ready to be compiled. */
export interface PlacedPolicy {
  readonly set: PolicySet
  readonly rows: readonly IdentityRow[]
  /** Undefined: it is a file. */
  readonly revision: number | undefined
}

/** The policy that a server holds, with the rows of these identities, or of all. */
export async function livePolicy(transport: Transport, spiffeIds: readonly string[] = []): Promise<PlacedPolicy> {
  const policies = transport.client(policiesService)
  const { policy, revision } = await policies.get({})
  const rows: IdentityRow[] = []
  for await (const { members } of policies.listMembers({ spiffeIds }))
    for (const { spiffeId, zones, via, labels } of members)
      rows.push({ spiffeId, zone: zones.length > 1 ? zones : (zones[0] ?? null), via, labels })
  return { set: JSON.parse(policy) as PolicySet, rows, revision }
}

/** Who is in quarantine, offboarded or elevated on a server now. */
export async function liveLifecycle(transport: Transport): Promise<Lifecycle> {
  const { lifecycle } = await transport.client(lifecycleService).getLifecycle({})
  return lifecycle === null ? NO_LIFECYCLE : readLifecycle(lifecycle.content).lifecycle
}
