import type { KeyObject } from 'node:crypto'
import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { Cryptography, SignatureAlgorithm } from '../../src/key/cryptography.ts'
import { checkPublicKey } from '../../src/key/public-key.ts'
import {
  decodeLastKey,
  decodeRejoinPayload,
  decodeRejoinResponse,
  encodeRejoinChallenge,
  keyHashOf,
  REJOIN,
  REJOIN_PAYLOAD_MAX_BYTES,
  rejoinSignedBytes,
} from '../../src/x509/rejoin-payload.ts'
import type { AttestedAgent } from '../store/store.ts'
import type { NodeAttestor } from './node-attestor.ts'

/** How long after the end of its last SVID an agent may return. */
export const REJOIN_WINDOW_MS = 30 * 24 * 60 * 60 * 1000
const NONCE_BYTES = 32

export interface RejoinDeps {
  readonly directory: { agent(spiffeId: SpiffeId): AttestedAgent | undefined }
  readonly clock: Clock
  readonly cryptography: Cryptography
  readonly random: (bytes: number) => Buffer
  readonly rejoinWindowMs: number
}

/**
 * Agents that joined with a token and were away: they return by proof of their last key, while their record stands.
 * An agent whose attestor can prove it again must use that, since what it proved then may be withdrawn by now.
 */
export function rejoinAttestor(deps: RejoinDeps): NodeAttestor {
  return {
    type: REJOIN,
    payloadMaxBytes: REJOIN_PAYLOAD_MAX_BYTES,
    async *attest(payload, node) {
      const { agentId, lastSpki } = decodeRejoinPayload(payload)
      const provenKeyHash = keyHashOf(lastSpki)
      const agent = checkMayReturn(agentId, provenKeyHash, deps)
      const lastKey = decodeLastKey(lastSpki)
      checkPublicKey({ publicKey: lastKey })
      const challengeNonce = deps.random(NONCE_BYTES)
      const { nonce, signature } = decodeRejoinResponse(yield encodeRejoinChallenge(challengeNonce))
      const signed = rejoinSignedBytes({ agentId, challengeNonce, responseNonce: nonce, newSpki: node.spki })
      if (!(await deps.cryptography.verify(algorithmFor(lastKey), lastKey, signed, signature, 'der'))) {
        throw refused(agentId, 'the signature was not made with its last key')
      }
      return {
        agentId,
        selectors: agent.selectors,
        canReattest: agent.canReattest,
        attestationType: agent.attestationType,
        returning: agent,
        provenKeyHash,
        mutations: [],
        audit: [],
        refusalOf: async () => refused(agentId, 'its record changed at the same moment'),
      }
    },
  }
}

function checkMayReturn(
  agentId: SpiffeId,
  keyHash: string,
  { directory, clock, rejoinWindowMs }: RejoinDeps,
): AttestedAgent {
  const agent = directory.agent(agentId)
  if (agent === undefined) throw refused(agentId, 'no such agent is known; it was evicted or purged')
  // A record that the key does not fit tells nothing about itself, not even that it is banned.
  if (!agent.keyHashes.includes(keyHash)) throw refused(agentId, 'that is not its last key')
  if (agent.canReattest) throw refused(agentId, `it must attest again by ${agent.attestationType}`)
  const lastEnd = Math.max(agent.expiresAt.getTime(), agent.pendingExpiresAt?.getTime() ?? 0)
  if (clock.now().getTime() > lastEnd + rejoinWindowMs) throw refused(agentId, 'it was away for too long')
  return agent
}

const ecAlgorithms: Readonly<Record<string, SignatureAlgorithm>> = { secp384r1: 'ES384', secp521r1: 'ES512' }

function algorithmFor(key: KeyObject): SignatureAlgorithm {
  if (key.asymmetricKeyType === 'rsa') return 'RS256'
  return ecAlgorithms[key.asymmetricKeyDetails?.namedCurve ?? ''] ?? 'ES256'
}

const refused = (agentId: SpiffeId, why: string): SallyportError =>
  new SallyportError('REJOIN_REFUSED', `Cannot let ${agentId.toString()} return: ${why}`)
