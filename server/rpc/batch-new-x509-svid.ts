import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { SallyportError } from '../../src/errors.ts'
import type { Call } from '../../src/wire/call.ts'
import type {
  BatchNewX509SvidRequest,
  BatchNewX509SvidResponse,
  NewX509SvidParams,
} from '../../src/wire/messages/spire-api-server-svid-v1.ts'
import type { Sent } from '../../src/wire/service.ts'
import { decodeCsr, verifyCsr, type Csr } from '../../src/x509/csr.ts'
import { agentCallerOf } from './agent-caller.ts'
import { entitledEntry } from './entitled-entry.ts'
import { failedItem, OK } from './items.ts'
import type { RpcDeps } from './rpc-deps.ts'
import { svidToMessage } from './svid-message.ts'

/** The most CSRs of one call, as with SPIRE. */
export const BATCH_MAX_CSRS = 500

interface Wish {
  readonly entry: RegistrationEntry
  readonly csr: Csr
}

interface Failed {
  readonly error: unknown
}

/** `BatchNewX509SVID`: each CSR has its own result; signatures are checked side by side, and signed in one go. */
export async function batchNewX509Svid(
  { params }: BatchNewX509SvidRequest,
  call: Call,
  deps: RpcDeps,
): Promise<Sent<BatchNewX509SvidResponse>> {
  if (params.length === 0) throw new SallyportError('REQUEST_INVALID', 'missing parameters')
  if (params.length > BATCH_MAX_CSRS) {
    throw new SallyportError('BATCH_TOO_LARGE', `Cannot sign ${params.length} CSRs at once: at most ${BATCH_MAX_CSRS}`)
  }
  const { spiffeId: agentId } = agentCallerOf(call, deps)
  await deps.spendSignatures(call, params.length)
  const wishes = await Promise.all(
    params.map((param) => wishOf(param, agentId, deps).catch((error: unknown): Failed => ({ error }))),
  )
  const good = wishes.filter((wish): wish is Wish => !('error' in wish))
  const issued = (
    await deps.issuer.issueX509Svids(
      good.map(({ entry, csr }) => ({
        spiffeId: entry.spiffeId,
        publicKey: csr.publicKey,
        spki: csr.spki,
        dnsNames: entry.dnsNames,
        ttlSeconds: entry.x509TtlSeconds,
        entryId: entry.id,
        agentId,
        hint: entry.hint,
      })),
    )
  ).values()
  const failed = (error: unknown) => ({ status: failedItem(error, call, deps.log), svid: null })
  return {
    results: wishes.map((wish) => {
      if ('error' in wish) return failed(wish.error)
      const svid = issued.next().value
      if (svid === undefined || svid instanceof SallyportError) return failed(svid)
      return { status: OK, svid: svidToMessage(svid.spiffeId, svid, svid.hint) }
    }),
  }
}

/** Only the key of a CSR counts: id, names and life are the entry's, whatever it asks for. */
async function wishOf(
  { entryId, csr }: NewX509SvidParams,
  agentId: RegistrationEntry['parentId'],
  deps: RpcDeps,
): Promise<Wish> {
  if (entryId === '') throw new SallyportError('REQUEST_INVALID', 'missing entry ID')
  const entry = entitledEntry(entryId, agentId, deps)
  const decoded = decodeCsr(csr)
  await verifyCsr(decoded, deps.cryptography)
  return { entry, csr: decoded }
}
