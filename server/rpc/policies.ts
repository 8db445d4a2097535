import { SallyportError, type ErrorCode } from '../../src/errors.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { Finding } from '../../src/policy-file/finding.ts'
import type { Call } from '../../src/wire/call.ts'
import type { Handlers } from '../../src/wire/implementation.ts'
import type {
  ApplyPolicyResponse,
  GetPolicyStatusResponse,
  ListMembersResponse,
  ListPolicyKeysResponse,
  PolicyFinding,
  PolicyLoss,
  PolicyRevision,
  policiesService,
} from '../../src/wire/messages/sallyport-server-v1.ts'
import type { Sent } from '../../src/wire/service.ts'
import { zonesOfRow } from '../policy/members.ts'
import { noPolicy, policyNotFound, type Applied } from '../policy/policies.ts'
import type { Loss } from '../policy/losses.ts'
import { canonicalText, signedContentOf } from '../policy/signed-text.ts'
import type { PolicyRevisionRow } from '../store/policy-rows.ts'
import { deedOf } from './deed.ts'
import { limitOf } from './page.ts'
import type { RpcDeps } from './rpc-deps.ts'

/** The most revisions of one list, and how many when nobody says. */
const LIST_MAX = 1_000
const LIST_DEFAULT = 50
/** Rows of one message of members. */
const MEMBERS_AT_ONCE = 1_000

/** `sallyport.server.v1.Policies`. */
export function policiesHandlers(deps: RpcDeps): Handlers<typeof policiesService> {
  const { policies, policyKeys, book, slices, store } = deps
  return {
    async validate({ source }, call) {
      const { findings, losses, digest, needsSecondSignature } = await policies.judge(source, callerId(call, deps))
      return {
        findings: findings.map(findingMessage),
        losses: losses.map(lossMessage),
        digest: Buffer.from(digest, 'hex'),
        needsSecondSignature,
      }
    },

    async apply({ source, expectedBase, dryRun, acceptLoss, note }, call) {
      const options = { expectedBase, dryRun, acceptLoss, note }
      return appliedMessage(await policies.apply(source, options, deedOf(call, deps), callerId(call, deps)), dryRun)
    },

    async rollback({ toRevision, expectedBase, dryRun, acceptLoss, note }, call) {
      const options = { expectedBase, dryRun, acceptLoss, note }
      const caller = callerId(call, deps)
      return appliedMessage(await policies.rollback(toRevision, options, deedOf(call, deps), caller), dryRun)
    },

    async get({ revision, pending }) {
      const row = pending ? pendingRow(deps) : await revisionRow(revision, deps)
      return revisionMessage(row, true)
    },

    async list({ limit, beforeRevision }) {
      const before = beforeRevision > 0 ? { before: beforeRevision } : {}
      const rows = await store.policyRevisions({ ...before, limit: limitOf(limit, LIST_DEFAULT, LIST_MAX) })
      const pending = policyKeys.state.pending === undefined ? null : revisionMessage(pendingRow(deps), false)
      return { revisions: rows.map((row) => revisionMessage(row, false)), pending }
    },

    getStatus: async () => statusOf(deps),

    async *listMembers({ spiffeIds, zone }, call) {
      for (const message of memberMessages(spiffeIds, zone, call, deps)) {
        call.signal.throwIfAborted()
        yield message
      }
    },

    async getSlice({ spiffeId }) {
      const signed = await slices.signed(registeredText(spiffeId, deps))
      if (signed === undefined) throw policyNotFound('There is no policy yet, and so no slice of it')
      return { slice: signed.slice, keys: signedContentOf(book.state.signedKeys) }
    },

    listKeys: async () => keysOf(deps),

    async rotateKey({ reason }, call) {
      await policyKeys.rotate(deedOf(call, deps), reason)
      return keysOf(deps)
    },

    async revokeKey({ keyId, reason }, call) {
      await policyKeys.revoke(keyId.toString('hex'), deedOf(call, deps), reason)
      return keysOf(deps)
    },

    async vouchForKeys({ publicKey, signature, reason }, call) {
      await policyKeys.vouch({ spki: publicKey, signature }, deedOf(call, deps), reason)
      return keysOf(deps)
    },

    async submitSignature({ digest, keyId, signature }, call) {
      const given = { digest: digest.toString('hex'), keyId: keyId.toString('hex'), signature }
      return appliedMessage(await policies.cosign(given, deedOf(call, deps)), false)
    },
  }
}

/** An administrator with an id of its own may cut its own way in; users of the admin socket cannot. */
function callerId(call: Call, { callerOf }: RpcDeps): SpiffeId | undefined {
  const caller = callerOf(call)
  return 'spiffeId' in caller ? caller.spiffeId : undefined
}

async function revisionRow(revision: number, { book, store }: RpcDeps): Promise<PolicyRevisionRow> {
  const row = revision === 0 ? book.current?.row : await store.policyRevision(revision)
  if (row !== undefined) return row
  throw revision === 0 ? noPolicy() : policyNotFound(`There is no policy revision ${revision}`)
}

function pendingRow({ policyKeys: { state } }: RpcDeps): PolicyRevisionRow {
  if (state.pending === undefined) throw policyNotFound('No policy waits for a signature')
  return { ...state.pending, revision: 0, epoch: state.epoch }
}

function registeredText(text: string, { directory }: RpcDeps): string {
  if (directory.entriesWithSpiffeId(SpiffeId.parse(text)).length > 0) return text
  throw new SallyportError(
    'REQUEST_INVALID',
    `Cannot make a slice: ${JSON.stringify(text.slice(0, 300))} is not registered`,
  )
}

function statusOf({ book, policyKeys, fleet }: RpcDeps): Sent<GetPolicyStatusResponse> {
  const { current, state } = book
  const rows = current === undefined ? [] : [...current.members.rows()]
  return {
    ...{ epoch: state.epoch, revision: book.policyRevision, storeRevision: book.revision },
    digest: Buffer.from(current?.row.digest ?? '', 'hex'),
    ...{ name: current?.row.policy.name ?? '', appliedBy: current?.row.appliedBy ?? '' },
    ...{ appliedAtMs: current?.row.appliedAtMs ?? 0, fastLaneSequence: book.fastLaneSequence },
    members: rows.length,
    unplaced: rows.filter((row) => zonesOfRow(row).length === 0).length,
    ambiguous: rows.filter((row) => zonesOfRow(row).length > 1).map(({ spiffeId }) => spiffeId),
    pending: policyKeys.state.pending !== undefined,
    agents: fleet.statuses().map(({ spiffeId, connected, policy }) => ({
      ...{ spiffeId: spiffeId.toString(), connected, handlesPolicy: policy !== undefined },
      ...{ policyEpoch: policy?.epoch ?? 0, policyRevision: policy?.revision ?? 0 },
      ...{ fastLaneSequence: policy?.fastLaneSequence ?? 0, refused: policy?.refused ?? '' },
    })),
  }
}

function* memberMessages(
  spiffeIds: readonly string[],
  zone: string,
  call: Call,
  { book, zoneRights }: RpcDeps,
): Generator<Sent<ListMembersResponse>> {
  const { current } = book
  const wanted = new Set(spiffeIds)
  const rows = current === undefined ? [] : [...current.members.rows()]
  const members = rows
    .filter(({ spiffeId }) => (wanted.size === 0 || wanted.has(spiffeId)) && zoneRights.maySee(call, spiffeId))
    .map((row) => ({ spiffeId: row.spiffeId, zones: zonesOfRow(row), via: row.via, labels: row.labels }))
    .filter(({ zones }) => zone === '' || zones.includes(zone))
  const head = { policyRevision: book.policyRevision, storeRevision: book.revision }
  for (let start = 0; start === 0 || start < members.length; start += MEMBERS_AT_ONCE) {
    yield { ...head, members: members.slice(start, start + MEMBERS_AT_ONCE) }
  }
}

/** As agents begin what they say of a set of keys. */
const KEYS_REFUSED: ErrorCode = 'POLICY_KEYS_UNTRUSTED'

function keysOf({ policyKeys: { state }, fleet, secondSigners }: RpcDeps): Sent<ListPolicyKeysResponse> {
  const following = fleet.statuses().filter(({ policy }) => policy !== undefined)
  const refusing = following.filter(({ policy }) => policy?.refused.startsWith(`${KEYS_REFUSED}:`))
  const behind = following.filter(({ policy }) => (policy?.keysVersion ?? 0) < state.keysVersion)
  return {
    version: state.keysVersion,
    keys: [
      ...state.keys.map(({ keyId, publicKey, state: keyState, createdAtMs }) => ({
        ...{ keyId: Buffer.from(keyId, 'hex'), publicKey: Buffer.from(publicKey, 'base64'), use: 'policy' },
        ...{ state: keyState, createdAtMs },
      })),
      ...secondSigners.map(({ keyId, spki }) => ({
        ...{ keyId: Buffer.from(keyId, 'hex'), publicKey: spki, use: 'second', state: 'active', createdAtMs: 0 },
      })),
    ],
    // Who has not come back after a restart may have pinned any set, or handle no policy: nobody may count on it.
    waitingFor: [...behind.map(({ spiffeId }) => spiffeId), ...fleet.unheard()].map(String),
    set: signedContentOf(state.signedKeys),
    refusedBy: refusing.map(({ spiffeId }) => spiffeId.toString()),
  }
}

function revisionMessage(row: PolicyRevisionRow, isWhole: boolean): Sent<PolicyRevision> {
  const { revision, epoch, digest, policy, appliedBy, appliedAtMs, note, rolledBackTo, source } = row
  return {
    ...{ revision, epoch, digest: Buffer.from(digest, 'hex'), name: policy.name, appliedBy, appliedAtMs, note },
    ...{ rolledBackTo, source: isWhole ? source : '', policy: isWhole ? canonicalText(policy) : '' },
    secondSignatures: signedContentOf({ content: '', signatures: row.secondSignatures }).signatures,
  }
}

function appliedMessage(
  { row, findings, losses, isPending, isUnchanged }: Applied,
  dryRun: boolean,
): Sent<ApplyPolicyResponse> {
  return {
    ...{ revision: revisionMessage(row, false), findings: findings.map(findingMessage) },
    ...{ losses: losses.map(lossMessage), dryRun, pending: isPending, unchanged: isUnchanged },
  }
}

const findingMessage = ({ severity, code, message, path, place }: Finding): Sent<PolicyFinding> => ({
  ...{ severity, code, message, path, line: place?.line ?? 0, column: place?.column ?? 0 },
})

const lossMessage = (loss: Loss): Sent<PolicyLoss> => ({ ...loss })
