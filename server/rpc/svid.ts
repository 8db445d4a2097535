import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { Call } from '../../src/wire/call.ts'
import type { Handlers } from '../../src/wire/implementation.ts'
import { idFromMessage } from '../../src/wire/id-message.ts'
import type { svidService } from '../../src/wire/messages/spire-api-server-svid-v1.ts'
import type { SpiffeId as SpiffeIdMessage } from '../../src/wire/messages/spire-api-types.ts'
import { decodeCsr, verifyCsr } from '../../src/x509/csr.ts'
import { witNotOffered } from '../authority/authority-config.ts'
import { agentCallerOf } from './agent-caller.ts'
import { batchNewWitSvid } from './batch-new-wit-svid.ts'
import { batchNewX509Svid } from './batch-new-x509-svid.ts'
import { deedOf } from './deed.ts'
import { entitledEntry } from './entitled-entry.ts'
import { ownBundle } from './own-bundle.ts'
import type { RpcDeps } from './rpc-deps.ts'
import { tokenSvidToMessage, svidToMessage } from './svid-message.ts'
import { workloadKeyOf } from './workload-key.ts'

/** `spire.api.server.svid.v1.SVID`. The WIT methods answer UNIMPLEMENTED unless WIT-SVIDs are turned on. */
export function svidHandlers(deps: RpcDeps): Handlers<typeof svidService> {
  const { issuer } = deps
  return {
    async mintX509Svid({ csr, ttl }, call) {
      const issued = await issuer.mintX509Svid(decodeCsr(csr), { ttlSeconds: ttl, callerId: callerOf(call, deps) })
      return { svid: svidToMessage(issued.spiffeId, issued) }
    },

    async mintJwtSvid({ id, audience, ttl }, call) {
      const spiffeId = workloadIdOf(id, 'a JWT-SVID', deps)
      const order = { spiffeId, audience, ttlSeconds: ttl, callerId: callerOf(call, deps) }
      return { svid: tokenSvidToMessage(spiffeId, await issuer.mintJwtSvid(order)) }
    },

    async mintWitSvid(request, call) {
      if (!deps.authorities.offers('wit')) throw witNotOffered()
      const spiffeId = workloadIdOf(request.id, 'a WIT-SVID', deps)
      const order = { ...workloadKeyOf(request), spiffeId, ttlSeconds: request.ttl, callerId: callerOf(call, deps) }
      return { svid: tokenSvidToMessage(spiffeId, await issuer.mintWitSvid(order)) }
    },

    batchNewX509Svid: (request, call) => batchNewX509Svid(request, call, deps),
    batchNewWitSvid: (request, call) => batchNewWitSvid(request, call, deps),

    async newJwtSvid({ entryId, audience }, call) {
      const { spiffeId: agentId } = agentCallerOf(call, deps)
      const { spiffeId, jwtTtlSeconds, jwtIncludesJti, hint } = entitledEntry(entryId, agentId, deps)
      const order = {
        spiffeId,
        audience,
        ttlSeconds: jwtTtlSeconds,
        includeJti: jwtIncludesJti,
        entryId,
        agentId,
        hint,
      }
      return { svid: tokenSvidToMessage(spiffeId, await issuer.issueJwtSvid(order), hint) }
    },

    async newDownstreamX509Ca(request, call) {
      const csr = decodeCsr(request.csr)
      await verifyCsr(csr, deps.cryptography)
      const { publicKey, spki } = csr
      const order = { publicKey, spki, ttlSeconds: request.preferredTtl, callerId: callerOf(call, deps) }
      const { chain, serialNumber, expiresAt } = await issuer.issueDownstreamCa(order)
      const fields = { callerId: order.callerId, serialNumber: serialNumber.toString(), expiresAt }
      deps.log.info(fields, 'Issued a downstream authority')
      return {
        caCertChain: chain,
        x509Authorities: ownBundle(deps).x509Authorities.map(({ certificate }) => certificate.der),
      }
    },
  }
}

const callerOf = (call: Call, deps: RpcDeps) => deedOf(call, deps).callerId

function workloadIdOf(message: SpiffeIdMessage | null, what: string, { trustDomain }: RpcDeps): SpiffeId {
  const id = idFromMessage(message)
  const why = !id.isMemberOf(trustDomain)
    ? `it is not in trust domain ${trustDomain.name}`
    : id.path === ''
      ? 'it has no path'
      : id.isReserved
        ? '/spire belongs to servers and agents'
        : undefined
  if (why === undefined) return id
  throw new SallyportError('REQUEST_INVALID', `Cannot mint ${what} for ${id.toString()}: ${why}`)
}
