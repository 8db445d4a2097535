import { SallyportError } from '../../src/errors.ts'
import type { Call } from '../../src/wire/call.ts'
import type { RenewAgentRequest, RenewAgentResponse } from '../../src/wire/messages/spire-api-server-agent-v1.ts'
import type { Sent } from '../../src/wire/service.ts'
import { decodeCsr, verifyCsr } from '../../src/x509/csr.ts'
import { keyHashOf } from '../../src/x509/rejoin-payload.ts'
import { checkAgent } from '../access/agent-rule.ts'
import { agentRefused } from '../access/permission-denied.ts'
import type { AttestedAgent } from '../store/store.ts'
import { agentRenewed } from '../audit/agent-events.ts'
import { agentCallerOf } from './agent-caller.ts'
import { changeAgent } from './change-agent.ts'
import type { RpcDeps } from './rpc-deps.ts'
import { svidToMessage } from './svid-message.ts'

/** `RenewAgent`: a new SVID for the agent's new key. The old one works until the new one is first used. */
export async function renewAgent(
  request: RenewAgentRequest,
  call: Call,
  deps: RpcDeps,
): Promise<Sent<RenewAgentResponse>> {
  const { spiffeId, agent, serialNumber: usedSerialNumber } = agentCallerOf(call, deps)
  if (agent.canReattest) {
    throw agentRefused(
      'AGENT_MUST_REATTEST',
      `Cannot renew ${spiffeId.toString()}: agent must reattest instead of renew`,
    )
  }
  if (request.params === null || request.params.csr.length === 0) {
    throw new SallyportError('REQUEST_INVALID', 'Cannot renew the agent: params.csr is missing')
  }
  const csr = decodeCsr(request.params.csr)
  await verifyCsr(csr, deps.cryptography)
  const issued = await deps.issuer.issueAgentSvid({ spiffeId, publicKey: csr.publicKey, spki: csr.spki })
  const serialNumber = issued.serialNumber.toString()
  const { expiresAt } = issued
  await changeAgent(spiffeId, deps, (before) => {
    // An agent that gave up waiting has asked again: what it does not wait for any more must not replace what it is given then.
    call.signal.throwIfAborted()
    // Banned, or replaced by an SVID that was used first: what the caller presented is worth nothing any more.
    checkAgent(spiffeId, before, usedSerialNumber)
    return {
      agent: {
        ...before,
        pendingSerialNumber: serialNumber,
        pendingExpiresAt: expiresAt,
        keyHashes: [...new Set([...keyHashesKept(before), keyHashOf(csr.spki)])],
      },
      audit: [agentRenewed({ at: deps.clock.now(), spiffeId, serialNumber, expiresAt })],
    }
  })
  deps.log.info({ agentId: spiffeId, serialNumber, expiresAt }, 'Renewed agent')
  return { svid: svidToMessage(spiffeId, issued) }
}

/** Renewals whose answers may all still be on their way to the agent. */
const RENEWALS_KEPT = 4

/**
 * The key of the SVID in use, and those of renewed ones that were not used yet: requests may overtake each other, and whichever answer
 * the agent keeps, its key lets it return.
 */
function keyHashesKept({ keyHashes, pendingSerialNumber }: AttestedAgent): readonly string[] {
  if (pendingSerialNumber === undefined) return keyHashes.slice(-1)
  return [...keyHashes.slice(0, 1), ...keyHashes.slice(1).slice(1 - RENEWALS_KEPT)]
}
