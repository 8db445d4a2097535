import type { Bundle } from '../../src/bundle/bundle.ts'
import { SallyportError } from '../../src/errors.ts'
import { bundleToMessage } from '../../src/wire/bundle-message.ts'
import type { Handlers } from '../../src/wire/implementation.ts'
import type { bundleService } from '../../src/wire/messages/spire-api-server-bundle-v1.ts'
import { witNotOffered } from '../authority/authority-config.ts'
import { cutPage, parsePageToken } from '../entries/page.ts'
import { deleteBundles } from './delete-bundles.ts'
import {
  bundleNotFound,
  changeFederatedBundles,
  createdBundle,
  foreignTrustDomain,
  replacedBundle,
  updatedBundle,
} from './federated-bundles.ts'
import { appendToOwnBundle, authoritiesOf, newJwtAuthority, newWitAuthority, ownBundle } from './own-bundle.ts'
import { pageOf } from './page.ts'
import type { RpcDeps } from './rpc-deps.ts'
import type { Turns } from './turns.ts'

/** `spire.api.server.bundle.v1.Bundle`. `PublishWITAuthority` answers UNIMPLEMENTED, as SPIRE's does, unless WIT-SVIDs are turned on. */
export function bundleHandlers(deps: RpcDeps, federation: Turns): Handlers<typeof bundleService> {
  const { directory, trustDomain } = deps
  return {
    async countBundles() {
      return { count: directory.bundleCount }
    },

    async getBundle({ outputMask }, call) {
      const bundle = ownBundle(deps)
      const caller = deps.callerOf(call)
      if (caller.kind === 'agent') deps.fleet.polledBundle(caller.spiffeId, bundle.sequenceNumber)
      return bundleToMessage(bundle, outputMask)
    },

    async appendBundle(request, call) {
      return bundleToMessage(await appendToOwnBundle(authoritiesOf(request, deps), call, deps), request.outputMask)
    },

    async publishJwtAuthority({ jwtAuthority }, call) {
      if (jwtAuthority === null) throw new SallyportError('REQUEST_INVALID', 'missing JWT authority')
      const added = { x509: [], jwt: [newJwtAuthority(jwtAuthority, deps)], wit: [] }
      const { jwtAuthorities } = bundleToMessage(await appendToOwnBundle(added, call, deps))
      return { jwtAuthorities }
    },

    async publishWitAuthority({ witAuthority }, call) {
      if (!deps.authorities.offers('wit')) throw witNotOffered()
      if (witAuthority === null) throw new SallyportError('REQUEST_INVALID', 'missing WIT authority')
      const added = { x509: [], jwt: [], wit: [newWitAuthority(witAuthority, deps)] }
      const { witAuthorities } = bundleToMessage(await appendToOwnBundle(added, call, deps))
      return { witAuthorities }
    },

    async listFederatedBundles({ outputMask, pageSize, pageToken }) {
      const { size, token } = pageOf(pageSize, pageToken)
      const after = parsePageToken(token)?.id ?? ''
      const rest = [...directory.bundles()]
        .filter((bundle) => !bundle.trustDomain.equals(trustDomain) && bundle.trustDomain.name > after)
        .sort(byName)
      const page = cutPage(rest, size, (bundle) => ({ createdAtMs: 0, id: bundle.trustDomain.name }))
      return { bundles: page.items.map((bundle) => bundleToMessage(bundle, outputMask)), nextPageToken: page.nextToken }
    },

    async getFederatedBundle(request) {
      const bundle = directory.bundle(foreignTrustDomain(request.trustDomain, deps))
      if (bundle === undefined) throw bundleNotFound(request.trustDomain)
      return bundleToMessage(bundle, request.outputMask)
    },

    async batchCreateFederatedBundle({ bundle, outputMask }, call) {
      const results = await federation.take(() => changeFederatedBundles(bundle, createdBundle, outputMask, call, deps))
      return { results }
    },

    async batchUpdateFederatedBundle({ bundle, inputMask, outputMask }, call) {
      const change = updatedBundle(inputMask)
      return { results: await federation.take(() => changeFederatedBundles(bundle, change, outputMask, call, deps)) }
    },

    async batchSetFederatedBundle({ bundle, outputMask }, call) {
      const results = await federation.take(() =>
        changeFederatedBundles(bundle, replacedBundle, outputMask, call, deps),
      )
      return { results }
    },

    batchDeleteFederatedBundle: (request, call) => federation.take(() => deleteBundles(request, call, deps)),
  }
}

const byName = (a: Bundle, b: Bundle): number => (a.trustDomain.name < b.trustDomain.name ? -1 : 1)
