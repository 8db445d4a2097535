import type { Command } from 'commander'
import { SallyportError } from '../src/errors.ts'
import { SpiffeId } from '../src/id/spiffe-id.ts'
import { wholeId } from '../src/policy-file/sample-request.ts'
import type { RegisteredEntry } from '../src/policy/analysis/compromise.ts'
import type { Moment } from '../src/policy/analysis/moment.ts'
import { compile } from '../src/policy/compile.ts'
import type { IdentityRow } from '../src/policy/membership.ts'
import type { PolicySet } from '../src/policy/policy-set.ts'
import { resolveMembership } from '../src/policy/resolve-membership.ts'
import type { Tables } from '../src/policy/tables.ts'
import type { Transport } from '../src/wire/client.ts'
import { withServer } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { eachEntry, readable } from './entry-list.ts'
import { instantOf } from './instants.ts'
import { livePolicy, policyName, policyText } from './policy-source.ts'
import { usablePolicy } from './policy-validate.ts'
import { readRegisteredFile } from './registered-file.ts'

/** Where an analysis takes its policy and identities from: files, or a server. */
export interface AnalysisOptions extends GlobalOptions {
  readonly policy?: string
  readonly entries?: string
  readonly at?: string
}

export interface Analysed {
  readonly set: PolicySet
  readonly rows: readonly IdentityRow[]
  readonly tables: Tables
  readonly entries: readonly RegisteredEntry[]
  /** Undefined: it is a file. */
  readonly revision: number | undefined
}

/** The options by which analyses work without a server. */
export const withSources = (command: Command): Command =>
  command
    .option('--policy <file>', "a policy file instead of the server's policy (- for standard input)")
    .option(
      '--entries <file>',
      'registered identities, with --policy: a file of `entry apply`, or `entry list --output json`',
    )

export const withMoment = (command: Command): Command =>
  command.option('--at <instant>', 'at one instant, such as 2027-01-31T02:00:00Z (default: at any time from now on)')

export async function analysed(options: AnalysisOptions): Promise<Analysed> {
  if (options.policy === undefined) {
    if (options.entries !== undefined)
      throw new SallyportError('COMMAND_INVALID', 'Cannot use --entries without --policy', {
        hint: 'Both are files; without them the server is asked.',
      })
    return withServer(options, analysedLive)
  }
  return analysedFile(options.policy, options.entries)
}

/** A policy file with the identities of a file; none: what the policy names is all there is. */
export async function analysedFile(policy: string, entriesFile: string | undefined): Promise<Analysed> {
  const { set } = await usablePolicy(policy)
  const entries =
    entriesFile === undefined ? [] : readRegisteredFile(await policyText(entriesFile), policyName(entriesFile))
  const rows = resolveMembership(set, entries)
  return { set, rows, tables: compile(set, rows), entries, revision: undefined }
}

export async function analysedLive(transport: Transport): Promise<Analysed> {
  const { set, rows, revision } = await livePolicy(transport)
  const labels = new Map(rows.map((row) => [row.spiffeId, row.labels]))
  const entries: RegisteredEntry[] = []
  for await (const entry of eachEntry(transport)) {
    const { spiffeId, parent, selectors } = readable(entry)
    const x509TtlMs = entry.x509SvidTtl === 0 ? undefined : entry.x509SvidTtl * 1000
    entries.push({
      spiffeId,
      parent,
      selectors,
      labels: labels.get(spiffeId) ?? {},
      x509TtlMs,
      createdMs: entry.createdAt * 1000,
    })
  }
  return { set, rows, tables: compile(set, rows), entries, revision }
}

/** At the instant that was asked for, else at any from now on. */
export function momentOf(at: string | undefined): Moment {
  return at === undefined ? { from: Date.now() } : { at: instantOf(at) }
}

/** An identity as it is written on the command line: a SPIFFE ID, or its path in the own trust domain. */
export function idOf(written: string, { trustDomain }: PolicySet): string {
  const id = wholeId(written, trustDomain)
  SpiffeId.parse(id)
  return id
}

export function wholeNumber(text: string, name: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new SallyportError('COMMAND_INVALID', `Cannot use ${name} ${text.slice(0, 40)}: not a number from 1`)
}
