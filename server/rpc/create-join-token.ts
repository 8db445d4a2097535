import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { Call } from '../../src/wire/call.ts'
import { parseAddressRange } from '../attest/address-range.ts'
import {
  agentIdOfToken,
  aliasEntryOf,
  makeToken,
  TOKEN_MAX_CHARACTERS,
  TOKEN_MIN_CHARACTERS,
  tokenHashOf,
} from '../attest/join-token.ts'
import { entryCreated } from '../audit/entry-events.ts'
import { tokenCreated } from '../audit/token-events.ts'
import type { JoinToken, Mutation } from '../store/store.ts'
import { deedOf } from './deed.ts'
import type { RpcDeps } from './rpc-deps.ts'

export interface TokenOrder {
  readonly ttlSeconds: number
  /** Empty: a random one is made. */
  readonly token: string
  /** What the agent that joins with it is also called. */
  readonly aliasId: SpiffeId | undefined
  readonly addressRange: string | undefined
}

/** Makes a join token, and with it the entry of its alias; only the caller ever sees the token itself. */
export async function createJoinToken(
  order: TokenOrder,
  call: Call,
  deps: RpcDeps,
): Promise<{ readonly token: string; readonly expiresAt: Date }> {
  checkOrder(order, deps)
  const now = deps.clock.now()
  const token = order.token === '' ? makeToken(deps.random) : order.token
  const hash = tokenHashOf(token)
  const agentId = agentIdOfToken(hash, deps.trustDomain)
  const expiresAt = new Date(now.getTime() + order.ttlSeconds * 1000)
  const { aliasId, addressRange } = order
  const joinToken: JoinToken = { hash, expiresAt, aliasId, addressRange, spent: undefined }
  const alias = aliasId === undefined ? [] : [aliasEntryOf(joinToken, aliasId, agentId, now)]
  const deed = deedOf(call, deps)
  const outcome = await deps.store.commit({
    mutations: [
      { kind: 'token.create', token: joinToken },
      ...alias.map((entry): Mutation => ({ kind: 'entry.create', entry })),
    ],
    audit: [tokenCreated(deed, joinToken), ...alias.map((entry) => entryCreated(deed, entry))],
  })
  if (!outcome.ok) throw new SallyportError('JOIN_TOKEN_EXISTS', 'Cannot create the join token: it exists already')
  await deps.directory.reached(outcome.revision)
  return { token, expiresAt }
}

function checkOrder({ ttlSeconds, token, aliasId, addressRange }: TokenOrder, { trustDomain }: RpcDeps): void {
  if (!Number.isInteger(ttlSeconds) || ttlSeconds < 1) throw invalid('ttl is required, you must provide one')
  if (token !== '' && !(token.length >= TOKEN_MIN_CHARACTERS && token.length <= TOKEN_MAX_CHARACTERS)) {
    throw invalid(`the token must have ${TOKEN_MIN_CHARACTERS} to ${TOKEN_MAX_CHARACTERS} characters`)
  }
  if (token !== '' && !/^[\x21-\x7e]+$/.test(token)) throw invalid('the token has a space or an unprintable character')
  if (addressRange !== undefined) parseAddressRange(addressRange)
  if (aliasId === undefined) return
  if (!aliasId.isMemberOf(trustDomain))
    throw invalid(`${aliasId.toString()} is not in trust domain ${trustDomain.name}`)
  if (aliasId.path === '') throw invalid(`${aliasId.toString()} has no path`)
  if (aliasId.isReserved) throw invalid(`${aliasId.toString()} is reserved: /spire belongs to servers and agents`)
}

const invalid = (why: string): SallyportError =>
  new SallyportError('JOIN_TOKEN_INVALID', `Cannot create the join token: ${why}`)
