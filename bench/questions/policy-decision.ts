import { compile } from '../../src/policy/compile.ts'
import { decide } from '../../src/policy/decide.ts'
import { indexLifecycle } from '../../src/policy/lifecycle-index.ts'
import { NO_LIFECYCLE } from '../../src/policy/lifecycle.ts'
import type { PolicyRequest } from '../../src/policy/request.ts'
import { resolveMembership } from '../../src/policy/resolve-membership.ts'
import { SliceIndex } from '../../src/policy/slice-index.ts'
import { sliceOf } from '../../src/policy/slice.ts'
import { ask } from '../ask.ts'
import { percentiles } from '../load.ts'
import { fleetEntries, fleetPolicy, pathOf, TRUST_DOMAIN, type FleetSize } from '../policy-fleet.ts'

/** Ten services share the rules, so that the slice of one holds 5,000. */
const SIZE: FleetSize = { identities: 100_000, zones: 1000, services: 10, rules: 50_000 }
const NOW = Date.parse('2026-11-20T12:00:00Z')
/** So many sources call again and again; a node sees far fewer. */
const CALLERS = 2000
const WARM_UP = 100_000

await ask(
  'Decisions of both gates on a slice of 5,000 rules',
  ({ isQuick, add }) => {
    const set = fleetPolicy(SIZE)
    const index = new SliceIndex(set, resolveMembership(set, fleetEntries(SIZE)))
    const { policy, members, displaced } = sliceOf(index, `spiffe://${TRUST_DOMAIN}${pathOf(0, SIZE)}`)
    const tables = compile(policy, [...displaced, ...members])
    const lifecycle = indexLifecycle(NO_LIFECYCLE)
    const requests = Array.from({ length: CALLERS }, (_, caller) => requestOf(caller, policy.rules))
    const codes = new Set(requests.map((request) => decide(tables, lifecycle, request).code))
    if (!codes.has(null) || codes.size < 3) throw new Error(`The requests are not a mix: ${[...codes].join(', ')}`)

    const decideOne = (round: number): void => {
      decide(tables, lifecycle, requests[(round * 7919) % CALLERS] as PolicyRequest)
    }
    for (let round = 0; round < WARM_UP; round++) decideOne(round)
    const times: number[] = []
    for (let round = 0; round < (isQuick ? 200_000 : 1_000_000); round++) {
      const start = process.hrtime.bigint()
      decideOne(round)
      times.push(Number(process.hrtime.bigint() - start) / 1e6)
    }
    const { p50Ms, p99Ms } = percentiles(times)
    add(
      { name: `rules in the slice`, value: policy.rules.length, unit: '', atLeast: 5000 },
      { name: 'one decision, p50', value: p50Ms * 1000, unit: 'µs', atMost: 5, scales: true },
      { name: 'one decision, p99', value: p99Ms * 1000, unit: 'µs', atMost: 20, scales: true },
    )
  },
  { needsPackage: false },
)

/** Most callers have a rule and some have not; one of ten paths needs decoding, some are refused. */
function requestOf(caller: number, rules: readonly { readonly from: readonly object[] }[]): PolicyRequest {
  const subject = rules[(caller * 13) % rules.length]?.from[0] as { readonly pattern?: string } | undefined
  const isNamed = caller % 5 !== 0 && subject?.pattern !== undefined && !subject.pattern.includes('*')
  const path = isNamed ? (subject.pattern as string) : pathOf(caller * 37, SIZE)
  const targets = ['/v1/things/42', '/v1/things', '/v1/things/7?a=b', '/v1/%74hings/9', '/v1//things']
  return {
    now: NOW,
    policyAgeMs: 3000,
    peer: { spiffeId: `spiffe://${TRUST_DOMAIN}${path}`, serialNumber: '1', notAfter: NOW + 3_600_000 },
    service: 'svc0',
    connection: { port: 8443, protocol: 'http', alpn: 'h2', ip: '10.0.0.1' },
    request: {
      method: 'GET',
      target: targets[caller % 10 < 6 ? 0 : (caller % 10) - 5] ?? '/v1/things',
      authorities: ['svc0.fleet'],
      upgrade: null,
      methodOverride: null,
      isGrpc: false,
    },
  }
}
