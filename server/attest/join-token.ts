import { createHash } from 'node:crypto'
import { NO_LABELS } from '../../src/entry/labels.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { SallyportError } from '../../src/errors.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { Clock } from '../../src/clock.ts'
import type { Log } from '../../src/log/log.ts'
import type { AuditEvent } from '../audit/record.ts'
import { tokenRefused, tokenReused, tokenSpent } from '../audit/token-events.ts'
import type { JoinToken, Mutation, Store } from '../store/store.ts'
import { parseAddressRange } from './address-range.ts'
import type { JoiningNode, NodeAttestation, NodeAttestor } from './node-attestor.ts'

export const JOIN_TOKEN = 'join_token'

/** What stands for the address of a node on this machine. */
const UNIX = 'unix'

/** 160 random bits; 128 is the least that may be. */
const TOKEN_BYTES = 20
/** 22 characters of base64url can hold 128 bits; a shorter one that somebody chose cannot. */
export const TOKEN_MIN_CHARACTERS = 22
export const TOKEN_MAX_CHARACTERS = 256
/** The part of the token's hash that is in the agent's id. */
const ID_HASH_CHARACTERS = 32

/** A new token: readable characters only, so that it survives shells and YAML. */
export const makeToken = (random: (bytes: number) => Buffer): string => random(TOKEN_BYTES).toString('base64url')

/** How a token is remembered: who reads the store cannot join. */
export const tokenHashOf = (token: string): string => createHash('sha256').update(token, 'utf8').digest('hex')

/** The id of the agent that joins with this token; it holds a hash, so that logs and certificates do not tell the token. */
export function agentIdOfToken(hash: string, trustDomain: TrustDomain): SpiffeId {
  return SpiffeId.of(trustDomain, `/spire/agent/join_token/${hash.slice(0, ID_HASH_CHARACTERS)}`)
}

/** The id of the entry that makes an agent answer to its token's alias. */
export const aliasEntryIdOfToken = (hash: string): string => `alias-${hash.slice(0, ID_HASH_CHARACTERS)}`

/**
 * The entry that makes `agentId` answer to `aliasId`, as SPIRE makes it with the token. It ends with the token unless an agent
 * joins before, so that tokens that nobody used leave nothing behind.
 */
export function aliasEntryOf(
  token: Pick<JoinToken, 'hash' | 'expiresAt'>,
  aliasId: SpiffeId,
  agentId: SpiffeId,
  now: Date,
): RegistrationEntry {
  return {
    id: aliasEntryIdOfToken(token.hash),
    spiffeId: aliasId,
    parentId: agentId,
    selectors: [{ type: 'spiffe_id', value: agentId.toString() }],
    x509TtlSeconds: 0,
    jwtTtlSeconds: 0,
    federatesWith: [],
    admin: false,
    downstream: false,
    expiresAt: token.expiresAt,
    dnsNames: [],
    hint: '',
    storeSvid: false,
    x509PrefetchDisabled: false,
    jwtIncludesJti: false,
    labels: NO_LABELS,
    createdAt: now,
    revisionNumber: 0,
  }
}

/** An alias entry says "this agent is also called …" and ends with its agent. */
export function isAliasEntryOf(entry: RegistrationEntry, agentId: SpiffeId): boolean {
  const [only, ...others] = entry.selectors
  return (
    entry.parentId.equals(agentId) &&
    others.length === 0 &&
    only?.type === 'spiffe_id' &&
    only.value === agentId.toString()
  )
}

export interface JoinTokenDeps {
  readonly trustDomain: TrustDomain
  readonly store: Pick<Store, 'token' | 'commit'>
  readonly directory: { entry(id: string): RegistrationEntry | undefined }
  readonly clock: Clock
  readonly log: Log
}

/** Of one token from one address so often, so that whoever holds a useless token cannot fill the journal with it. */
const ALARM_EVERY_MS = 60_000
/** Tokens and addresses that are told apart; then all start anew. */
const ALARMS_MAX = 1_000

/** The same, and when an alarm about which use of a token was last recorded. */
interface Deps extends JoinTokenDeps {
  readonly alarms: Map<string, number>
}

/** Nodes that join with a token that works once. */
export function joinTokenAttestor(given: JoinTokenDeps): NodeAttestor {
  const deps: Deps = { ...given, alarms: new Map() }
  return {
    type: JOIN_TOKEN,
    payloadMaxBytes: TOKEN_MAX_CHARACTERS,
    // oxlint-disable-next-line require-yield -- a token is all that is asked for, there is no challenge
    async *attest(payload, node) {
      const hash = tokenHashOf(payload.toString('utf8'))
      const agentId = agentIdOfToken(hash, deps.trustDomain)
      // Refused here for a clear message; that a token is spent only once is the transaction's promise, not this look's.
      const token = await checkToken(await deps.store.token(hash), node, agentId, deps)
      return attestationOf(token, agentId, node, deps)
    },
  }
}

async function checkToken(
  token: JoinToken | undefined,
  { address = UNIX }: JoiningNode,
  agentId: SpiffeId,
  deps: Deps,
): Promise<JoinToken> {
  if (token === undefined) throw spent(agentId)
  if (token.spent !== undefined) throw await reused(token, address, agentId, deps)
  if (token.expiresAt <= deps.clock.now()) {
    await record(tokenRefused(deps.clock.now(), token.hash, address, 'expired'), token, address, deps)
    throw expired(agentId, token.expiresAt)
  }
  if (token.addressRange !== undefined && !parseAddressRange(token.addressRange)(address)) {
    await record(tokenRefused(deps.clock.now(), token.hash, address, 'address'), token, address, deps)
    throw new SallyportError(
      'JOIN_TOKEN_ADDRESS',
      `Cannot attest ${agentId.toString()}: its join token may only be used from ${token.addressRange}, not from ${address}`,
    )
  }
  return token
}

function attestationOf(
  token: JoinToken,
  agentId: SpiffeId,
  { address = UNIX }: JoiningNode,
  deps: Deps,
): NodeAttestation {
  const { hash } = token
  const at = deps.clock.now()
  const alias = deps.directory.entry(aliasEntryIdOfToken(hash))
  const mutations: Mutation[] = [{ kind: 'token.spend', hash, at, address }]
  if (alias?.expiresAt !== undefined) {
    mutations.push({
      kind: 'entry.update',
      entry: { ...alias, expiresAt: undefined, revisionNumber: alias.revisionNumber + 1 },
    })
  }
  return {
    agentId,
    selectors: [],
    canReattest: false,
    mutations,
    audit: [tokenSpent(at, hash, address)],
    async refusalOf({ index, reason, existingToken = token }) {
      if (index > 0) return changedMeanwhile(agentId)
      return reason === 'expired' ? expired(agentId, token.expiresAt) : reused(existingToken, address, agentId, deps)
    },
  }
}

/** One of the two who hold the token is a thief, and it may be the one who came first. */
async function reused(token: JoinToken, address: string, agentId: SpiffeId, deps: Deps): Promise<SallyportError> {
  if (await record(tokenReused(deps.clock.now(), token, address), token, address, deps)) {
    const facts = { agentId, firstAddress: token.spent?.address, usedAt: token.spent?.at, address }
    deps.log.error(facts, 'Join token used twice')
  }
  return spent(agentId)
}

/** @returns false when the same was recorded a moment ago; every refusal is counted besides */
async function record(
  event: AuditEvent,
  { hash }: JoinToken,
  address: string,
  { store, clock, alarms }: Deps,
): Promise<boolean> {
  const key = `${hash} ${address}`
  const now = clock.monotonicMs()
  if (now - (alarms.get(key) ?? Number.NEGATIVE_INFINITY) < ALARM_EVERY_MS) return false
  if (alarms.size >= ALARMS_MAX) alarms.clear()
  alarms.set(key, now)
  await store.commit({ mutations: [], audit: [event] })
  return true
}

// SPIRE's words: its clients look for them.
const spent = (agentId: SpiffeId): SallyportError =>
  new SallyportError(
    'JOIN_TOKEN_SPENT',
    `Cannot attest ${agentId.toString()}: join token does not exist or has already been used`,
  )

const expired = (agentId: SpiffeId, expiresAt: Date | undefined): SallyportError =>
  new SallyportError(
    'JOIN_TOKEN_EXPIRED',
    `Cannot attest ${agentId.toString()}: join token expired${expiresAt === undefined ? '' : ` at ${expiresAt.toISOString()}`}`,
  )

const changedMeanwhile = (agentId: SpiffeId): SallyportError =>
  new SallyportError(
    'CONCURRENT_CHANGE',
    `Cannot attest ${agentId.toString()}: its alias was changed at the same moment`,
  )
