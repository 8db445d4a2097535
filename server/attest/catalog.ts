import type { JoinTokenDeps } from './join-token.ts'
import { joinTokenAttestor } from './join-token.ts'
import type { NodeAttestor } from './node-attestor.ts'
import { rejoinAttestor, type RejoinDeps } from './rejoin.ts'
import { x509popAttestor, type X509popDeps } from './x509pop.ts'

/** Everything that a built-in attestor may need; `x509pop` is there when it is configured. */
export interface NodeAttestorDeps extends JoinTokenDeps, RejoinDeps {
  readonly directory: JoinTokenDeps['directory'] & RejoinDeps['directory']
  readonly x509pop:
    Pick<X509popDeps, 'authorities' | 'agentPathTemplate' | 'maxIntermediates' | 'maxRsaBits'> | undefined
}

/** The node attestors of a server. */
export function nodeAttestors(deps: NodeAttestorDeps): readonly NodeAttestor[] {
  return [
    joinTokenAttestor(deps),
    rejoinAttestor(deps),
    ...(deps.x509pop === undefined ? [] : [x509popAttestor({ ...deps, ...deps.x509pop })]),
  ]
}
