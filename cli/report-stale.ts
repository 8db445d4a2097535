import { staleIdentities, staleKinds, type StaleIdentity, type StaleKind } from '../src/policy/analysis/stale.ts'
import { adminService, lifecycleService } from '../src/wire/messages/sallyport-server-v1.ts'
import { analysed } from './analysis-source.ts'
import { withServer } from './connect.ts'
import { observed, spanMs } from './decision-source.ts'
import { counted, type Result } from './print.ts'
import type { ReportOptions } from './report-traffic.ts'

/** Records of the journal that are asked for at most. */
const ISSUED_MAX = 100_000_000

export async function reportStale(options: ReportOptions): Promise<Result> {
  const source = await analysed(options)
  const sinceMs = Date.now() - spanMs(options.since ?? '30d')
  const isLive = options.policy === undefined
  const found = staleIdentities(source.tables, {
    entries: source.entries,
    rows: source.rows,
    observations: await observed(options),
    issued: isLive && options.issued === true ? await issuedSince(options, sinceMs) : undefined,
    offboarded: isLive ? await offboarded(options) : new Set(),
    sinceMs,
  })
  return {
    value: { since: options.since ?? '30d', identities: found },
    rows: found.map(({ id, kind, zone }) => ({ identity: id, is: kind, zone: zone ?? '-', because: staleKinds[kind] })),
    sentence: summary(found),
  }
}

function summary(found: readonly StaleIdentity[]): string {
  const counts = [...Map.groupBy(found, ({ kind }) => kind)].map(
    ([kind, own]: [StaleKind, StaleIdentity[]]) => `${own.length} ${kind}`,
  )
  return found.length === 0 ? 'Every identity is in use.' : `${counted(found.length, 'finding')}: ${counts.join(', ')}.`
}

async function issuedSince(options: ReportOptions, sinceMs: number): Promise<Set<string>> {
  return withServer(options, async (transport) => {
    const issued = new Set<string>()
    const request = { limit: ISSUED_MAX, newest: true, type: 'x509-svid.issued', since: Math.floor(sinceMs / 1000) }
    for await (const { facts } of transport.client(adminService).listAudit(request)) {
      const { spiffeId } = JSON.parse(facts) as { readonly spiffeId?: string }
      if (spiffeId !== undefined) issued.add(spiffeId)
    }
    return issued
  })
}

async function offboarded(options: ReportOptions): Promise<Set<string>> {
  return withServer(options, async (transport) => {
    const { offboarded } = await transport.client(lifecycleService).listOffboarded({})
    return new Set(offboarded.filter(({ complete }) => complete).map(({ spiffeId }) => spiffeId))
  })
}
