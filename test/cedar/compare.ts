import { preparsePolicySet, statefulIsAuthorized } from '@cedar-policy/cedar-wasm/nodejs'
import { compile } from '../../src/policy/compile.ts'
import { decide } from '../../src/policy/decide.ts'
import { indexLifecycle } from '../../src/policy/lifecycle-index.ts'
import { NO_LIFECYCLE } from '../../src/policy/lifecycle.ts'
import type { PolicyRequest } from '../../src/policy/request.ts'
import { resolveMembership } from '../../src/policy/resolve-membership.ts'
import { exportCedar, type CedarCall } from './export-cedar.ts'
import { Random } from './random.ts'
import { randomWorld, type Question } from './random-world.ts'

export interface Comparison {
  readonly questions: number
  /** Of both gates, how often each answer came: a comparison in which all are the same proves nothing. */
  readonly counts: Readonly<Record<'movement allow' | 'movement deny' | 'access allow' | 'access deny', number>>
  /** Denied by a deny rule or a guard whose condition could not be evaluated. */
  readonly disagreements: readonly string[]
}

const lifecycle = indexLifecycle(NO_LIFECYCLE)

/** Decides questions about random policies with both engines; the same seeds, the same questions. */
export function compareEngines(firstSeed: number, policies: number): Comparison {
  const counts = { 'movement allow': 0, 'movement deny': 0, 'access allow': 0, 'access deny': 0 }
  const disagreements: string[] = []
  let questions = 0
  for (let seed = firstSeed; seed < firstSeed + policies; seed++) {
    const world = randomWorld(new Random(seed))
    const tables = compile(world.set, resolveMembership(world.set, world.entries))
    const cedar = exportCedar(world)
    const parsed = preparsePolicySet('world', { staticPolicies: cedar.policies })
    if (parsed.type === 'failure')
      throw new Error(`Seed ${seed}: ${JSON.stringify(parsed.errors)} ${JSON.stringify(cedar.policies)}`)
    for (const [index, question] of world.questions.entries()) {
      questions++
      const { gates } = decide(tables, lifecycle, requestOf(question))
      const calls = cedar.callsFor(question)
      for (const gate of ['movement', 'access'] as const) {
        const { result, code } = gates[gate]
        const other = ask(calls[gate])
        counts[`${gate} ${other}`]++
        if (result !== other)
          disagreements.push(
            `seed ${seed}, question ${index}: ${gate} is ${result} (${code ?? ''}), Cedar says ${other}: ${JSON.stringify(question)}`,
          )
      }
    }
  }
  return { questions, counts, disagreements }
}

function ask(call: CedarCall): 'allow' | 'deny' {
  const answer = statefulIsAuthorized({
    ...call,
    preparsedPolicySetId: 'world',
    entities: call.entities,
  } as Parameters<typeof statefulIsAuthorized>[0])
  if (answer.type === 'failure') throw new Error(JSON.stringify(answer.errors))
  return answer.response.decision
}

export function requestOf({ id, service, port, protocol, alpn, ip, now, http }: Question): PolicyRequest {
  return {
    now,
    policyAgeMs: 0,
    peer: { spiffeId: id, serialNumber: '1', notAfter: now + 1000 },
    service,
    connection: { port, protocol, alpn, ip },
    request:
      http === undefined
        ? undefined
        : {
            method: http.method,
            target: http.path,
            authorities: http.authority === null ? [] : [http.authority],
            upgrade: null,
            methodOverride: null,
            isGrpc: false,
          },
  }
}
