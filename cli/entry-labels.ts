import { labelsProblem, type Labels } from '../src/entry/labels.ts'
import { SallyportError } from '../src/errors.ts'
import type { Transport } from '../src/wire/client.ts'
import { registrationsService } from '../src/wire/messages/sallyport-server-v1.ts'

/** `env=prod`, given as often as there are labels. */
export function parseLabels(written: readonly string[]): Labels {
  const labels = Object.fromEntries(
    written.map((text): [string, string] => {
      const at = text.indexOf('=')
      if (at > 0) return [text.slice(0, at), text.slice(at + 1)]
      throw invalid(`${JSON.stringify(text.slice(0, 80))} is not a label`)
    }),
  )
  const problem = labelsProblem(labels)
  if (problem !== undefined) throw invalid(problem)
  return labels
}

const invalid = (why: string): SallyportError =>
  new SallyportError('REQUEST_INVALID', `Cannot use the labels: ${why}`, { hint: 'Write them like --label env=prod.' })

/** The labels of these entries, or of all that have some, by entry id. */
export async function labelsOf(transport: Transport, entryIds: readonly string[] = []): Promise<Map<string, Labels>> {
  const { entries } = await transport.client(registrationsService).listLabels({ entryIds })
  return new Map(entries.map(({ entryId, labels }) => [entryId, labels]))
}

/** Does an entry say all of these? */
export const hasAll = (labels: Labels | undefined, wanted: Labels): boolean =>
  Object.entries(wanted).every(([name, value]) => labels?.[name] === value)

export const printLabels = (labels: Labels = {}): string =>
  Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .toSorted()
    .join(' ')
