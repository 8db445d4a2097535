import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { Call } from '../../src/wire/call.ts'
import type {
  AttestAgentRequest,
  AttestAgentRequestParams,
  AttestAgentResponse,
} from '../../src/wire/messages/spire-api-server-agent-v1.ts'
import type { Sent } from '../../src/wire/service.ts'
import { decodeCsr, verifyCsr, type Csr } from '../../src/x509/csr.ts'
import { keyHashOf } from '../../src/x509/rejoin-payload.ts'
import { callerName } from '../access/caller.ts'
import { agentRefused } from '../access/permission-denied.ts'
import { ATTESTATION_TIMEOUT_MS, type NodeAttestation, type NodeAttestor } from '../attest/node-attestor.ts'
import { agentAttested, agentRejoined } from '../audit/agent-events.ts'
import type { AttestedAgent } from '../store/store.ts'
import type { RpcDeps } from './rpc-deps.ts'
import { svidToMessage } from './svid-message.ts'

/** An agent record that somebody else changes at the same moment is read again this often. */
const TRIES = 5
const RETRY_MS = 10

/** `AttestAgent`: payload and CSR in, challenges out and answers in, at the end the agent's SVID. A refusal is counted (SE-22). */
export async function* attestAgent(
  requests: AsyncIterable<AttestAgentRequest>,
  call: Call,
  deps: RpcDeps,
): AsyncGenerator<Sent<AttestAgentResponse>> {
  try {
    yield* steps(requests, call, deps)
  } catch (error) {
    if (error instanceof SallyportError) {
      deps.refusals.refused({ callerId: callerName(deps.callerOf(call)), method: call.method, code: error.code })
    }
    throw error
  }
}

async function* steps(
  requests: AsyncIterable<AttestAgentRequest>,
  call: Call,
  deps: RpcDeps,
): AsyncGenerator<Sent<AttestAgentResponse>> {
  const deadline = new AbortController()
  using _timer = deps.clock.timer(ATTESTATION_TIMEOUT_MS, () => deadline.abort(tooSlow()))
  const inbox = answersOf(requests, AbortSignal.any([call.signal, deadline.signal]))
  const params = paramsOf(await inbox())
  const csr = await verifiedCsr(params, deps)
  const attestor = attestorFor(params, deps)
  const proof = attestor.attest(payloadOf(params, attestor), { address: addressOf(call), spki: csr.spki })
  try {
    let step = await proof.next()
    while (step.done !== true) {
      yield { challenge: step.value, step: 'challenge' }
      step = await proof.next(challengeResponseOf(await inbox()))
    }
    yield { result: await admit(step.value, attestor, csr, call, deps), step: 'result' }
  } finally {
    await proof.return(undefined as never)
  }
}

/** From a proven node to an agent: issue, then commit its record together with what the proof has used up. */
async function admit(attestation: NodeAttestation, attestor: NodeAttestor, csr: Csr, call: Call, deps: RpcDeps) {
  const { agentId, canReattest } = attestation
  const type = attestation.attestationType ?? attestor.type
  checkMayJoin(attestation, type, deps)
  const issued = await deps.issuer.issueAgentSvid({ spiffeId: agentId, publicKey: csr.publicKey, spki: csr.spki })
  const record = (): AttestedAgent => {
    const before = checkMayJoin(attestation, type, deps)
    const { provenKeyHash } = attestation
    const fresh = { serialNumber: issued.serialNumber.toString(), expiresAt: issued.expiresAt }
    if (before !== undefined && provenKeyHash !== undefined) return returned(before, provenKeyHash, fresh, csr)
    return {
      spiffeId: agentId,
      attestationType: type,
      ...fresh,
      pendingSerialNumber: undefined,
      pendingExpiresAt: undefined,
      selectors: attestation.selectors,
      banned: false,
      canReattest,
      version: before?.version ?? '',
      attestedAt: deps.clock.now(),
      keyHashes: [keyHashOf(csr.spki)],
      revisionNumber: before === undefined ? 0 : before.revisionNumber + 1,
    }
  }
  await commitAgent(attestation, record, call, deps)
  const serialNumber = issued.serialNumber.toString()
  deps.log.info({ agentId, attestationType: type, serialNumber, expiresAt: issued.expiresAt }, 'Attested agent')
  return { svid: svidToMessage(agentId, issued), reattestable: canReattest }
}

/** As with a renewal, the key that was proven counts until the new SVID is used: the answer may never arrive. */
const returned = (
  before: AttestedAgent,
  provenKeyHash: string,
  { serialNumber, expiresAt }: Pick<AttestedAgent, 'serialNumber' | 'expiresAt'>,
  { spki }: Csr,
): AttestedAgent => ({
  ...before,
  pendingSerialNumber: serialNumber,
  pendingExpiresAt: expiresAt,
  keyHashes: [provenKeyHash, keyHashOf(spki)],
  revisionNumber: before.revisionNumber + 1,
})

/** Nothing of an attestation is kept unless all of it is: the token is spent exactly when the agent is known. */
async function commitAgent(
  attestation: NodeAttestation,
  record: () => AttestedAgent,
  call: Call,
  deps: RpcDeps,
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    // A node that gave up waiting asks again: its token must not be spent, nor its record changed, by what nobody waits for.
    call.signal.throwIfAborted()
    const agent = record()
    const { spiffeId, attestationType } = agent
    const serialNumber = agent.pendingSerialNumber ?? agent.serialNumber
    const expiresAt = agent.pendingExpiresAt ?? agent.expiresAt
    const facts = {
      at: deps.clock.now(),
      spiffeId,
      attestationType,
      address: addressOf(call) ?? '',
      serialNumber,
      expiresAt,
    }
    const outcome = await deps.store.commit({
      mutations: [...attestation.mutations, { kind: 'agent.put', agent }],
      audit: [...attestation.audit, attestation.returning === undefined ? agentAttested(facts) : agentRejoined(facts)],
    })
    if (outcome.ok) return deps.directory.reached(outcome.revision)
    if (outcome.index < attestation.mutations.length) throw await attestation.refusalOf(outcome)
    if (tries === TRIES) throw concurrent(agent.spiffeId)
    await deps.clock.sleep(RETRY_MS, call.signal)
  }
}

/** May this node become, or go on being, that agent? */
function checkMayJoin(
  { agentId, canReattest, returning }: NodeAttestation,
  type: string,
  { directory }: RpcDeps,
): AttestedAgent | undefined {
  const before = directory.agent(agentId)
  if (before?.banned === true)
    throw agentRefused('AGENT_BANNED', `Cannot attest ${agentId.toString()}: agent is banned`)
  if (returning !== undefined) {
    // Evicted or changed since the proof was asked for.
    if (before?.revisionNumber !== returning.revisionNumber) throw concurrent(agentId)
    return before
  }
  if (before !== undefined && before.attestationType !== type) {
    throw refused(agentId, `that id belongs to an agent that joined by ${before.attestationType}`)
  }
  if (before !== undefined && !canReattest) {
    throw refused(agentId, `it has joined already, and ${type} proves a node only once; evict the agent first`)
  }
  return before
}

function answersOf(
  requests: AsyncIterable<AttestAgentRequest>,
  signal: AbortSignal,
): () => Promise<AttestAgentRequest> {
  const iterator = requests[Symbol.asyncIterator]()
  return async () => {
    signal.throwIfAborted()
    const aborted = Promise.withResolvers<never>()
    const onAbort = (): void => aborted.reject(signal.reason as Error)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      const next = await Promise.race([iterator.next(), aborted.promise])
      if (next.done === true) throw invalid('the node ended the call before it was attested')
      return next.value
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }
}

function paramsOf({ params }: AttestAgentRequest): AttestAgentRequestParams {
  if (params === null || params === undefined) throw invalid('the first message must have params')
  return params
}

function challengeResponseOf({ challengeResponse }: AttestAgentRequest): Buffer {
  if (challengeResponse === undefined) throw invalid('the answer to a challenge must have challenge_response')
  return challengeResponse
}

async function verifiedCsr({ params }: AttestAgentRequestParams, { cryptography }: RpcDeps): Promise<Csr> {
  if (params === null || params.csr.length === 0) throw invalid('params.params.csr is missing')
  const csr = decodeCsr(params.csr)
  await verifyCsr(csr, cryptography)
  return csr
}

function attestorFor({ data }: AttestAgentRequestParams, { attestors }: RpcDeps): NodeAttestor {
  if (data === null || data.type === '') throw invalid('params.data.type is missing')
  const attestor = attestors.find(({ type }) => type === data.type)
  if (attestor !== undefined) return attestor
  throw new SallyportError(
    'ATTESTOR_UNKNOWN',
    `Cannot attest the node: could not find node attestor type ${JSON.stringify(data.type.slice(0, 64))}`,
  )
}

function payloadOf({ data }: AttestAgentRequestParams, { type, payloadMaxBytes }: NodeAttestor): Buffer {
  if (data === null || data.payload.length === 0) throw invalid('params.data.payload is missing')
  if (data.payload.length <= payloadMaxBytes) return data.payload
  throw invalid(`the payload is longer than the ${payloadMaxBytes} bytes that ${type} may have`)
}

const addressOf = ({ connection }: Call): string | undefined =>
  connection.transport === 'tls' ? connection.address : undefined

const invalid = (why: string): SallyportError =>
  new SallyportError('ATTESTATION_INVALID', `Cannot attest the node: ${why}`)

const refused = (agentId: SpiffeId, why: string): SallyportError =>
  new SallyportError('ATTESTATION_REFUSED', `Cannot attest ${agentId.toString()}: ${why}`)

const tooSlow = (): SallyportError =>
  new SallyportError(
    'ATTESTATION_TIMEOUT',
    `Cannot attest the node: it took longer than ${ATTESTATION_TIMEOUT_MS / 1000} s`,
  )

const concurrent = (agentId: SpiffeId): SallyportError =>
  new SallyportError(
    'CONCURRENT_CHANGE',
    `Cannot change agent ${agentId.toString()}: it was changed at the same moment`,
  )
