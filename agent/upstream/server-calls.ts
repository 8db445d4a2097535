import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import { bundleFromMessage } from '../../src/wire/bundle-message.ts'
import type { Transport } from '../../src/wire/client.ts'
import { idFromMessage } from '../../src/wire/id-message.ts'
import {
  agentService,
  type AttestAgentRequest,
  type AttestAgentResponse,
} from '../../src/wire/messages/spire-api-server-agent-v1.ts'
import { bundleService } from '../../src/wire/messages/spire-api-server-bundle-v1.ts'
import { svidService } from '../../src/wire/messages/spire-api-server-svid-v1.ts'
import { syncService } from '../../src/wire/messages/sallyport-sync-v1.ts'
import type { X509Svid } from '../../src/wire/messages/spire-api-types.ts'
import type { Sent } from '../../src/wire/service.ts'
import type { Attestation } from './attestation.ts'
import { follow } from './follow.ts'
import { Outbox } from './outbox.ts'
import { pollAuthorizedEntries } from './poll.ts'
import { grpcStatusOf } from './refusal.ts'
import { signInBatches } from './sign-batches.ts'
import type { AgentSvidReply, Upstream } from './upstream.ts'

/** A call that takes longer than this has failed. Attestation may wait for somebody else's answer. */
const CALL_TIMEOUT_MS = 10_000
const ATTEST_TIMEOUT_MS = 60_000
/** More rounds than any attestor needs. */
const CHALLENGES_MAX = 8

export interface ServerCallsDeps {
  /** The connection as of now; it changes when the agent's SVID does. */
  readonly transport: () => Transport
  readonly trustDomain: TrustDomain
  readonly clock: Clock
  readonly cryptography: Cryptography
}

/** The server's calls as functions, over whatever connection there is at the moment. */
export function serverCalls(deps: ServerCallsDeps): Upstream {
  const { transport, clock, cryptography } = deps
  const fetchFederatedBundle: Upstream['fetchFederatedBundle'] = async (trustDomain, signal) => {
    try {
      const client = transport().client(bundleService)
      return bundleFromMessage(
        await client.getFederatedBundle({ trustDomain: trustDomain.name }, { signal, timeoutMs: CALL_TIMEOUT_MS }),
      )
    } catch (error) {
      if (grpcStatusOf(error) === 'NOT_FOUND') return undefined
      throw error
    }
  }
  const fetchBundle: Upstream['fetchBundle'] = async (signal) => {
    const client = transport().client(bundleService)
    return bundleFromMessage(await client.getBundle({}, { signal, timeoutMs: CALL_TIMEOUT_MS }))
  }
  return {
    attest: (attestation, csr, signal) => attest(transport(), attestation, csr, signal),
    async renew(csr, signal) {
      const client = transport().client(agentService)
      const { svid } = await client.renewAgent({ params: { csr } }, { signal, timeoutMs: CALL_TIMEOUT_MS })
      return readReply(svid, false)
    },
    signX509Svids: (orders, signal) =>
      signInBatches(
        orders,
        async (batch) => {
          const { results } = await transport()
            .client(svidService)
            .batchNewX509Svid({ params: batch }, { signal, timeoutMs: CALL_TIMEOUT_MS })
          return results
        },
        ({ certChain }) => (certChain.length === 0 ? undefined : { chain: certChain }),
      ),
    signWitSvids: (orders, signal) =>
      signInBatches(
        orders,
        async (batch) => {
          const { results } = await transport()
            .client(svidService)
            .batchNewWitSvid({ params: batch }, { signal, timeoutMs: CALL_TIMEOUT_MS })
          return results
        },
        ({ token }) => (token === '' ? undefined : { token }),
      ),
    async signJwtSvid(entryId, audience, signal) {
      const client = transport().client(svidService)
      const { svid } = await client.newJwtSvid({ entryId, audience }, { signal, timeoutMs: CALL_TIMEOUT_MS })
      if (svid === null || svid.token === '' || svid.expiresAt <= svid.issuedAt) throw unusable('a JWT-SVID')
      return { token: svid.token, issuedAt: atSecond(svid.issuedAt), expiresAt: atSecond(svid.expiresAt) }
    },
    fetchBundle,
    fetchFederatedBundle,
    async reportDecisions(batch, signal) {
      const receipt = await transport()
        .client(syncService)
        .reportDecisions(batch, { signal, timeoutMs: CALL_TIMEOUT_MS })
      if (receipt.logId !== batch.logId || receipt.batch !== batch.batch) throw unusable('decisions')
    },
    follow: (options, signal) => follow(options, { transport: transport(), clock, cryptography }, signal),
    poll: (held, signal) =>
      pollAuthorizedEntries(held, { ...deps, transport: transport(), fetchBundle, fetchFederatedBundle }, signal),
  }
}

/** Says what the agent is, answers what the server asks back, and returns the SVID it was given. */
async function attest(
  transport: Transport,
  { type, payload, answer }: Attestation,
  csr: Buffer,
  signal: AbortSignal,
): Promise<AgentSvidReply> {
  const requests = new Outbox<Sent<AttestAgentRequest>>()
  requests.push({ params: { data: { type, payload }, params: { csr } } })
  try {
    const responses: AsyncIterable<AttestAgentResponse> = transport
      .client(agentService)
      .attestAgent(requests, { signal, timeoutMs: ATTEST_TIMEOUT_MS })
    let challenges = 0
    for await (const { result, challenge } of responses) {
      if (result) return readReply(result.svid, result.reattestable)
      if (challenge === undefined || ++challenges > CHALLENGES_MAX) throw unusable('an attestation')
      requests.push({ challengeResponse: await answer(challenge) })
    }
    throw unusable('an attestation')
  } finally {
    requests.end()
  }
}

function readReply(svid: X509Svid | null, reattestable: boolean): AgentSvidReply {
  if (svid === null || svid.id === null || svid.certChain.length === 0) throw unusable('an agent SVID')
  return { spiffeId: idFromMessage(svid.id), chain: svid.certChain, reattestable }
}

const atSecond = (seconds: number): Date => new Date(seconds * 1000)

const unusable = (what: string): SallyportError =>
  new SallyportError('SERVER_ANSWER_INVALID', `Cannot use what the server answered for ${what}: a part is missing`)
