import { SallyportError } from '../src/errors.ts'
import { SpiffeId } from '../src/id/spiffe-id.ts'
import { sampleRequest, wholeId, type Sample } from '../src/policy-file/sample-request.ts'
import { compile } from '../src/policy/compile.ts'
import { explain, type Explanation } from '../src/policy/explain.ts'
import { indexLifecycle } from '../src/policy/lifecycle-index.ts'
import { NO_LIFECYCLE, type Grant, type Lifecycle } from '../src/policy/lifecycle.ts'
import type { PolicySet } from '../src/policy/policy-set.ts'
import { printExplanation } from '../src/policy/print-explanation.ts'
import { resolveMembership } from '../src/policy/resolve-membership.ts'
import { withServer } from './connect.ts'
import { EXIT, type GlobalOptions } from './context.ts'
import { instantOf } from './instants.ts'
import { liveLifecycle, livePolicy, type PlacedPolicy } from './policy-source.ts'
import { usablePolicy } from './policy-validate.ts'
import type { Result } from './print.ts'

export interface ExplainOptions extends GlobalOptions {
  readonly from: string
  readonly to: string
  readonly http?: string
  readonly rpc?: string
  readonly port?: string
  readonly at?: string
  readonly policy?: string
  readonly label?: readonly string[]
  readonly withGrant?: string
}

export async function explainPolicy(options: ExplainOptions): Promise<Result> {
  const sample = sampleOf(options)
  const placed = await placedPolicy(options)
  const source = wholeId(sample.from, placed.set.trustDomain)
  const own = options.label === undefined ? [] : resolveMembership(placed.set, [ownEntry(source, options.label)])
  const rows = own.length === 0 ? placed.rows : [...placed.rows.filter(({ spiffeId }) => spiffeId !== source), ...own]
  const tables = compile(placed.set, rows)
  const request = sampleRequest(tables, sample, Date.now())
  const { lifecycle } = placed
  const more = options.withGrant === undefined ? [] : [grantOf(placed.set, options.withGrant, source, request.now)]
  const explanation = explain(tables, indexLifecycle({ ...lifecycle, grants: [...lifecycle.grants, ...more] }), request)
  process.exitCode = explanation.decision.decision === 'allow' ? EXIT.ok : EXIT.refused
  return { value: valueOf(explanation), sentence: printExplanation(explanation, placed.revision).trimEnd() }
}

/** A file knows of nobody's quarantine or grant; a server does. */
async function placedPolicy(options: ExplainOptions): Promise<PlacedPolicy & { readonly lifecycle: Lifecycle }> {
  if (options.policy !== undefined)
    return { set: (await usablePolicy(options.policy)).set, rows: [], revision: undefined, lifecycle: NO_LIFECYCLE }
  return withServer(options, async (transport) => ({
    ...(await livePolicy(transport)),
    lifecycle: await liveLifecycle(transport),
  }))
}

function sampleOf({ from, to, http, rpc, port, at }: ExplainOptions): Sample {
  if (!from.startsWith('/')) SpiffeId.parse(from)
  if (http !== undefined && rpc !== undefined) throw invalid('--http and --rpc are two requests', 'Give one of them.')
  return {
    from,
    to,
    http: http === undefined ? undefined : httpOf(http),
    rpc,
    port: port === undefined ? undefined : portOf(port),
    at: at === undefined ? undefined : instantOf(at),
  }
}

/** `GET /v1/orders/42`: the target goes as it is, for explanations of bad ones too. */
function httpOf(text: string): NonNullable<Sample['http']> {
  const [method, path, ...rest] = text.split(' ')
  if (method !== undefined && path !== undefined && rest.length === 0) return { method, path }
  throw invalid(`"${text.slice(0, 80)}" is not a request`, 'Write it like --http "GET /v1/orders/42".')
}

function portOf(text: string): number {
  if (/^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65_535) return Number(text)
  throw invalid(`"${text.slice(0, 40)}" is not a port`, 'Write a number from 1 to 65535.')
}

function ownEntry(spiffeId: string, written: readonly string[]) {
  const labels = written.map((text): [string, string] => {
    const at = text.indexOf('=')
    if (at > 0) return [text.slice(0, at), text.slice(at + 1)]
    throw invalid(`"${text.slice(0, 80)}" is not a label`, 'Write it like --label env=prod.')
  })
  return { spiffeId, labels: Object.fromEntries(labels), selectors: [] }
}

/** The grant that somebody would get by this template, from now on and in full length. */
function grantOf({ grantTemplates }: PolicySet, name: string, subject: string, now: number): Grant {
  const template = grantTemplates.find(({ id }) => id === name)
  if (template === undefined)
    throw invalid(`the policy has no grant template "${name.slice(0, 80)}"`, 'Name one of `grantTemplates`.')
  const { movement, access, approvals, maxDurationMs } = template
  return {
    id: `grant of ${name}`,
    template: name,
    subject,
    movement,
    access,
    from: now,
    until: now + maxDurationMs,
    requester: 'requester',
    approvers: Array.from({ length: approvals.count }, (_, index) => `approver ${index + 1}`),
  }
}

const invalid = (why: string, hint: string): SallyportError =>
  new SallyportError('REQUEST_INVALID', `Cannot explain: ${why}`, { hint })

function valueOf({ policy, decision, source, destination, candidates, nearest, fix }: Explanation) {
  const expires = Number.isFinite(decision.expires) ? new Date(decision.expires).toISOString() : null
  return {
    policy,
    ...decision,
    expires,
    source,
    destination,
    candidates,
    nearest: nearest.map(({ id }) => id),
    fix,
  }
}
