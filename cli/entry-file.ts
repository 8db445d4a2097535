import { readFile } from 'node:fs/promises'
import { text as textOf } from 'node:stream/consumers'
import { SallyportError } from '../src/errors.ts'
import { withServer } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { applyPlan } from './entry-apply.ts'
import { labelsOf } from './entry-labels.ts'
import { eachEntry } from './entry-list.ts'
import { isAliasOfToken, planEntries, readEntriesFile } from './entry-plan.ts'
import { counted, type Result } from './print.ts'
import { showProgress } from './progress.ts'

interface ApplyOptions extends GlobalOptions {
  readonly file: string
  readonly prune: boolean
  readonly dryRun: boolean
}

/** `entry apply`: makes the registered entries equal to a file. */
export async function applyEntries(options: ApplyOptions): Promise<Result> {
  // /dev/stdin cannot be opened where standard input is a socket, as it is below many programs.
  const reading = options.file === '-' ? textOf(process.stdin) : readFile(options.file, 'utf8')
  const text = await reading.catch((error: unknown) => {
    throw new SallyportError(
      'FILE_UNUSABLE',
      `Cannot read ${options.file}: ${(error as NodeJS.ErrnoException).code ?? 'it failed'}`,
      {
        cause: error,
        hint: 'Check the path; - is standard input.',
      },
    )
  })
  const wanted = readEntriesFile(text, options.file)
  return withServer(options, async (transport) => {
    const stored = await Array.fromAsync(eachEntry(transport))
    const isLabelled = wanted.some(({ labels }) => labels !== undefined)
    const plan = planEntries(wanted, stored, options.prune, isLabelled ? await labelsOf(transport) : new Map())
    let warnings: readonly string[] = []
    if (!options.dryRun) {
      using progress = showProgress('changes made')
      warnings = await applyPlan(plan, transport, progress.report)
    }
    const changes = plan.filter(({ action }) => action !== 'keep')
    const aliases = stored.filter(isAliasOfToken).length
    const kept =
      options.prune && aliases > 0 ? ` ${counted(aliases, 'name', 'names')} of nodes from \`token create\` kept.` : ''
    return {
      value: plan.map(({ action, spiffeId, entryId, changedFields }) => ({ action, spiffeId, entryId, changedFields })),
      rows: changes.map(({ action, spiffeId, entryId, changedFields }) => ({
        action,
        'spiffe id': spiffeId,
        'entry id': entryId,
        fields: changedFields.join(', '),
      })),
      warnings,
      sentence: `${summary(plan)}${options.dryRun && changes.length > 0 ? ' Nothing was done; leave out --dry-run to do it.' : ''}${kept}`,
    }
  })
}

/** `To create 1, to update 0 …` in one line. */
function summary(plan: ReturnType<typeof planEntries>): string {
  const count = (wanted: string): number => plan.filter(({ action }) => action === wanted).length
  return `create ${count('create')}, update ${count('update')}, delete ${count('delete')}, keep ${count('keep')}.`
}
