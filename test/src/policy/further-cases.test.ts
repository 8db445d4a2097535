import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

/**
 * The further cases and the property tests of zones.md §5, each with the tests that prove it. There are no sidecars, so nothing is
 * downgraded from HTTP/2 to HTTP/1; nothing is exported to nftables, so addresses are compared by conditions only.
 */
const further: readonly (readonly [name: string, ...tests: (readonly [file: string, title: string])[]])[] = [
  [
    'request smuggling',
    ['e2e/enforce-http1', 'a request smuggled by two lengths is no request'],
    ['src/enforce/request-gate', 'Transfer-Encoding: chunked'],
  ],
  ['WebSocket after revocation', ['e2e/enforce-streams', 'ends after the revocation of the rule that opened it']],
  ['0-RTT data', ['e2e/enforce-tls', 'what was sent early reaches nobody']],
  ['renegotiation', ['e2e/enforce-tls', 'of an open connection is refused']],
  ['clock skew of 5 minutes at grant edges', ['e2e/enforce-skew', 'one that %s']],
  [
    'DST and midnight-crossing windows',
    ['src/policy/windows', 'follows its time zone through the changes of the clock'],
    ['src/policy/windows', 'crosses midnight when from is later than to'],
    ['src/policy/windows', 'agrees with Intl in any zone at any time'],
  ],
  [
    'bundle rollback and replay',
    ['agent/policy/policy-holder', 'a policy never goes back, a slice neither'],
    ['e2e/zones', 'an agent whose disk was rolled back'],
    ['e2e/policy-server', 'a restored backup cannot issue a revision again'],
  ],
  [
    'two bundles racing',
    ['agent/policy/policy-holder', 'two policies racing over two streams'],
    ['src/workload/policy-source', 'two policies racing: in either order'],
    ['e2e/zones-nodes', 'two policies that are applied at the same moment'],
  ],
  [
    'fast-lane gap',
    ['agent/policy/policy-holder', 'a gap in the fast lane ends the stream'],
    ['src/workload/policy-source', 'a gap in the fast lane'],
    ['e2e/zones', 'a gap in the saved fast lane is noticed'],
  ],
  [
    'agent restart with a persisted old bundle',
    ['e2e/zones', 'an agent that starts again serves what it has saved'],
    ['src/workload/policy-source', 'an agent that went back takes nothing back'],
  ],
  ['SVID rotation during a long stream', ['e2e/enforce-grpc', 'goes on with a stream while its SVID rotates']],
  ['same id on two nodes with one node quarantined', ['e2e/zones-nodes', 'one identity on two nodes']],
  ['IPv4-mapped IPv6', ['src/policy/condition', '::ffff:10.1.2.3']],
  ['law: adding a deny never allows more', ['src/policy/laws', 'adding a deny rule or a guard never allows more']],
  ['law: removing an allow never allows more', ['src/policy/laws', 'removing an allow rule or a conduit']],
  ['law: observe never changes raw', ['src/policy/laws', 'observe mode never changes the raw answer']],
  ['law: independent of object order', ['src/policy/laws', 'the answer does not depend on the order of objects']],
  ['law: explain and decide agree', ['src/policy/laws', 'explain and decide agree']],
  ['law: table engine and Cedar agree', ['cedar/cedar', 'Cedar']],
]

test.for(further)('zones.md §5 %s has its tests', ([, ...tests]) => {
  for (const [file, title] of tests) {
    const text = readFileSync(join(import.meta.dirname, '../..', `${file}.test.ts`), 'utf8')
    expect(text.includes(title), `${file}: ${title}`).toBe(true)
  }
})
