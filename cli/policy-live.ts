import { printYaml } from '../src/config/print-yaml.ts'
import { SallyportError } from '../src/errors.ts'
import {
  policiesService,
  type ApplyPolicyResponse,
  type PolicyRevision,
} from '../src/wire/messages/sallyport-server-v1.ts'
import { withServer } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { policyText } from './policy-source.ts'
import { printInstant, type Result, type Row } from './print.ts'

export interface ChangeOptions extends GlobalOptions {
  readonly dryRun: boolean
  readonly acceptLoss: boolean
  readonly base?: string
  readonly note?: string
}

const changeOf = ({ dryRun, acceptLoss, base, note = '' }: ChangeOptions) => ({
  dryRun,
  acceptLoss,
  note,
  ...(base === undefined ? {} : { expectedBase: revisionOf(base) }),
})

export async function applyPolicy(options: ChangeOptions, path: string): Promise<Result> {
  const source = await policyText(path)
  return withServer(options, async (transport) =>
    changed(await transport.client(policiesService).apply({ source, ...changeOf(options) })),
  )
}

export async function rollbackPolicy(options: ChangeOptions, revision?: string): Promise<Result> {
  const toRevision = revision === undefined ? 0 : revisionOf(revision)
  return withServer(options, async (transport) =>
    changed(await transport.client(policiesService).rollback({ toRevision, ...changeOf(options) })),
  )
}

export async function listPolicies(options: GlobalOptions & { readonly limit: string }): Promise<Result> {
  return withServer(options, async (transport) => {
    const { revisions, pending } = await transport.client(policiesService).list({ limit: revisionOf(options.limit) })
    const all = pending === null ? revisions : [pending, ...revisions]
    const none =
      all.length === 0 ? { sentence: 'No policy is applied. `sallyport policy apply FILE` applies one.' } : {}
    return { value: all.map(readable), rows: all.map(rowOf), ...none }
  })
}

/** For people the text as it was applied, for machines all about it. */
export async function showPolicy(
  options: GlobalOptions & { readonly pending: boolean },
  revision?: string,
): Promise<Result> {
  return withServer(options, async (transport) => {
    const request = { revision: revision === undefined ? 0 : revisionOf(revision), pending: options.pending }
    const found = await transport.client(policiesService).get(request)
    const text = found.source === '' ? printYaml(JSON.parse(found.policy)) : found.source
    return { value: { ...readable(found), source: text }, sentence: text.trimEnd() }
  })
}

/** What a change has come to, or would. */
export function changed({ revision, findings, losses, dryRun, pending, unchanged }: ApplyPolicyResponse): Result {
  const name = revision?.name ?? ''
  const sentence = unchanged
    ? `Policy ${name} is the current one already.`
    : pending
      ? `Policy ${name} ${dryRun ? 'would wait' : 'waits'} for a second signature over ${revision?.digest.toString('hex') ?? ''}: it touches a zone of target 4. Somebody else makes it from the same file, on another machine: \`sallyport policy sign FILE --key second.pem\`, then \`sallyport policy submit\`.`
      : dryRun
        ? `Policy ${name} would be applied. Nothing was done; leave out --dry-run to do it.`
        : `Applied policy ${name} as revision ${revision?.revision ?? 0}.`
  return {
    value: { revision: revision === null ? null : readable(revision), findings, losses, dryRun, pending, unchanged },
    sentence,
    warnings: [
      ...losses.map(({ message }) => `lost: ${message}`),
      ...findings.map(({ code, path, message }) => `${code} ${path === '' ? '' : `${path}: `}${message}`),
    ],
  }
}

const readable = ({
  digest,
  appliedAtMs,
  policy: _policy,
  source: _source,
  secondSignatures,
  ...rest
}: PolicyRevision) => ({
  ...rest,
  digest: digest.toString('hex'),
  appliedAt: new Date(appliedAtMs).toISOString(),
  secondSignatures: secondSignatures.length,
})

function rowOf({ revision, name, appliedBy, appliedAtMs, note, rolledBackTo, digest }: PolicyRevision): Row {
  return {
    revision: revision === 0 ? 'pending' : revision,
    name,
    applied: printInstant(new Date(appliedAtMs), new Date()),
    by: appliedBy,
    note: rolledBackTo === 0 ? note : [`back to ${rolledBackTo}`, note].filter((part) => part !== '').join(': '),
    digest: digest.toString('hex').slice(0, 16),
  }
}

function revisionOf(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw new SallyportError('REQUEST_INVALID', `Cannot read the revision "${text.slice(0, 40)}"`, {
    hint: '`sallyport policy list` shows the revisions.',
  })
}
