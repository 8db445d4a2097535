import { SallyportError } from '../src/errors.ts'
import type { Transport } from '../src/wire/client.ts'
import { registrationsService } from '../src/wire/messages/sallyport-server-v1.ts'
import { entryService } from '../src/wire/messages/spire-api-server-entry-v1.ts'
import type { Status } from '../src/wire/messages/spire-api-types.ts'
import { labelsOf } from './entry-labels.ts'
import type { PlanStep } from './entry-plan.ts'
import { codeOfItem } from './item-status.ts'

const BATCH = 50
const REFUSALS_SHOWN = 5

/**
 * Does what a plan says, deletions first; the first batch with a refusal is the last one.
 *
 * @returns what whoever made the entries should know
 */
export async function applyPlan(
  plan: readonly PlanStep[],
  transport: Transport,
  report: (done: number, total: number) => void = () => undefined,
): Promise<readonly string[]> {
  const total = plan.filter(({ action }) => action !== 'keep').length
  let done = 0
  const warnings: string[] = []
  for (const [action, send] of Object.entries(sendersOf(transport))) {
    for (const steps of batches(plan, action)) {
      const results: readonly ItemResult[] = await send(steps)
      const refused = steps.flatMap((step, index) => {
        const status = results[index]?.status
        const { code } = results[index] ?? {}
        return status === null || status === undefined || status.code === 0 ? [] : [{ step, status, code }]
      })
      done += steps.length - refused.length
      if (refused.length > 0) throw refusal(refused, done, total)
      warnings.push(...results.flatMap((result) => result.warnings ?? []))
      report(done, total)
    }
  }
  return warnings
}

interface ItemResult {
  readonly status: Status | null
  readonly warnings?: readonly string[]
  readonly code?: string
}

/** Labels of one identity change together, because all of its entries must agree in them (ZO-11). */
function sendersOf(transport: Transport) {
  type Send = (steps: readonly PlanStep[]) => Promise<readonly ItemResult[]>
  const client = transport.client(entryService)
  const registrations = transport.client(registrationsService)
  const entriesOf = (steps: readonly PlanStep[]) => steps.map(({ entry }) => entry)
  const relabelled = async (steps: readonly PlanStep[]): Promise<readonly ItemResult[]> => {
    const known = await labelsOf(
      transport,
      steps.map(({ entryId }) => entryId),
    )
    const updates = steps.map(({ entry, entryId, labels = {} }) => ({
      ...{ entry, mask: ALL_FIELDS, labels },
      removedLabels: Object.keys(known.get(entryId) ?? {}).filter((name) => !Object.hasOwn(labels, name)),
    }))
    return (await registrations.updateEntries({ updates, together: true })).results
  }
  return {
    delete: async (steps) => (await client.batchDeleteEntry({ ids: steps.map(({ entryId }) => entryId) })).results,
    update: async (steps) =>
      changesLabels(steps[0])
        ? await relabelled(steps)
        : (await client.batchUpdateEntry({ entries: entriesOf(steps) })).results,
    create: async (steps) =>
      (await registrations.createEntries({ entries: steps.map(({ entry, labels = {} }) => ({ entry, labels })) }))
        .results,
  } satisfies Record<string, Send>
}

const changesLabels = (step: PlanStep | undefined): boolean => step?.changedFields.includes('labels') ?? false

/** What a file of entries declares: every field but those that the server keeps. */
const ALL_FIELDS = {
  ...{ spiffeId: true, parentId: true, selectors: true, x509SvidTtl: true, jwtSvidTtl: true, federatesWith: true },
  ...{ admin: true, downstream: true, expiresAt: true, dnsNames: true, hint: true, additionalAttributes: true },
}

function refusal(
  refused: readonly { readonly step: PlanStep; readonly status: Status; readonly code: string | undefined }[],
  done: number,
  total: number,
): SallyportError {
  const lines = refused
    .slice(0, REFUSALS_SHOWN)
    .map(({ step, status }) => `  ${step.action} ${step.spiffeId}: ${status.message}`)
  const more = refused.length > REFUSALS_SHOWN ? [`  and ${refused.length - REFUSALS_SHOWN} more`] : []
  return new SallyportError(
    codeOfItem(refused[0]?.status, refused[0]?.code),
    [`Cannot make all changes: ${done} of ${total} were made, ${refused.length} refused`, ...lines, ...more].join('\n'),
    { hint: 'Correct the file and apply it again; what was made already is kept.' },
  )
}

/** Steps of one kind, so many at a time; those that change the labels of one identity are a batch of their own. */
function* batches(plan: readonly PlanStep[], action: string): Generator<readonly PlanStep[]> {
  const steps = plan.filter((step) => step.action === action)
  const relabelled = Map.groupBy(
    steps.filter((step) => changesLabels(step)),
    ({ spiffeId }) => spiffeId,
  )
  yield* relabelled.values()
  const others = steps.filter((step) => !changesLabels(step))
  for (let start = 0; start < others.length; start += BATCH) yield others.slice(start, start + BATCH)
}
