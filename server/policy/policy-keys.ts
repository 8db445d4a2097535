import { createPublicKey, type KeyObject } from 'node:crypto'
import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import type { Log } from '../../src/log/log.ts'
import type { PolicyKeyRow, PolicyKeysDocument } from '../../src/policy/signed-documents.ts'
import type { Deed } from '../audit/deed.ts'
import { policyKeyRevoked, policyKeyRotated, policyKeysVouched } from '../audit/policy-events.ts'
import type { AuditEvent } from '../audit/record.ts'
import type { KeyStore, StoredSigner } from '../keys/key-store.ts'
import type { PolicyKeyState, PolicyStateRow, SignedText } from '../store/policy-rows.ts'
import type { Mutation, Store } from '../store/store.ts'
import { canonicalText, sha256Hex } from './signed-text.ts'

/** A public key of somebody who signs policies elsewhere. */
export interface SecondSigner {
  /** SHA-256 of the SPKI, hex. */
  readonly keyId: string
  readonly spki: Buffer
}

export interface PolicyKeysDeps {
  readonly store: Store
  readonly keys: KeyStore
  readonly trustDomain: TrustDomain
  readonly clock: Clock
  readonly cryptography: Pick<Cryptography, 'verify'>
  readonly random: (bytes: number) => Buffer
  readonly log: Log
  readonly secondSigners: readonly SecondSigner[]
}

/** Sets of keys that are kept for agents that were away. */
const EARLIER_KEYS_MAX = 32

/** Of one set: its own keys and those that vouch for it. */
const SIGNATURES_MAX = 32

/** In the key store: no other room begins like that. */
const KEY_NAME_PREFIX = 'policy-'

/** How often a change of the state is tried against changes by others. */
const TRIES = 5

/**
 * The keys that sign policy, slices and the fast lane: Ed25519, of their own (SE-45). Agents pin what they get at their first
 * contact; every later set is signed by each key that this server still has, so that whoever pinned one of them can follow.
 */
export class PolicyKeys {
  readonly #deps: PolicyKeysDeps
  readonly #signers = new Map<string, StoredSigner>()
  #state: PolicyStateRow

  private constructor(deps: PolicyKeysDeps, state: PolicyStateRow) {
    this.#deps = deps
    this.#state = state
  }

  /** Reads the state or makes the first one; a restored store gets a later epoch. */
  static async open(deps: PolicyKeysDeps): Promise<PolicyKeys> {
    const { state } = await deps.store.policySnapshot()
    const keys = new PolicyKeys(deps, state ?? firstState(deps))
    await keys.#loadSigners()
    const next = await keys.#asItShouldBe(state === undefined)
    if (next !== undefined) await keys.#put(next, [])
    return keys
  }

  get state(): PolicyStateRow {
    return this.#state
  }

  /** Whoever shows the state to agents: a key signs until they can have heard of its end. */
  shownBy(reached: (revision: number) => Promise<void>): void {
    this.#reached = reached
  }
  #reached = (_revision: number): Promise<void> => Promise.resolve()

  /** Signs a content with the key that is active in the state that agents are told. */
  async sign(content: string, state: PolicyStateRow): Promise<SignedText> {
    return { content, signatures: [await this.#signWith(activeKeyId(state), content)] }
  }

  /** A new key signs from now on; the old one stays trusted until it is revoked. */
  async rotate(deed: Deed, reason: string): Promise<void> {
    await this.#change(async (state) => {
      const key = await this.#newKey()
      const keys = [...state.keys.map((one) => (one.state === 'active' ? { ...one, state: 'old' as const } : one)), key]
      return [await this.#withKeys(state, keys), policyKeyRotated(deed, key.keyId, reason)]
    })
  }

  /**
   * A key is trusted no longer; when it was the active one, another is made first. The set that says so is signed by it a last
   * time, for agents that have pinned nothing else, then it is destroyed.
   *
   * @throws {@link SallyportError} `POLICY_KEY_NOT_FOUND`
   */
  async revoke(keyId: string, deed: Deed, reason: string): Promise<void> {
    const revision = await this.#change(async (state) => {
      const revoked = state.keys.find((one) => one.keyId === keyId && one.state !== 'revoked')
      if (revoked === undefined) {
        throw new SallyportError(
          'POLICY_KEY_NOT_FOUND',
          `Cannot revoke the policy key ${keyId}: it is none, or revoked`,
        )
      }
      const others = state.keys.map((one) => (one.keyId === keyId ? { ...one, state: 'revoked' as const } : one))
      const keys = revoked.state === 'active' ? [...others, await this.#newKey()] : others
      return [await this.#withKeys(state, keys, [keyId]), policyKeyRevoked(deed, keyId, reason)]
    })
    await this.#reached(revision)
    const name = this.#state.keys.find((one) => one.keyId === keyId)?.keyName
    this.#signers.delete(keyId)
    if (name !== undefined) await this.#destroy(name)
  }

  /**
   * Adds the signature of a key that this server does not have to the current set, so that agents that have pinned that key, and none
   * of those that signed so far, believe it: after a backup was put back that is older than the revocation of its keys. It makes
   * nobody trust that key.
   *
   * @throws {@link SallyportError} `POLICY_SIGNATURE_REFUSED`
   */
  async vouch(
    { spki, signature }: { readonly spki: Buffer; readonly signature: Buffer },
    deed: Deed,
    reason: string,
  ): Promise<void> {
    const keyId = sha256Hex(spki)
    const revision = await this.#change(async (state) => {
      const { content, signatures } = state.signedKeys
      const isSigned = await this.#deps.cryptography.verify(
        'EdDSA',
        ed25519Of(spki),
        Buffer.from(content),
        signature,
        'der',
      )
      if (!isSigned) throw unvouched('its signature is not one of the current set of keys')
      if (signatures.some((one) => one.keyId === keyId)) throw unvouched(`${keyId} has signed the current set already`)
      if (signatures.length >= SIGNATURES_MAX) throw unvouched(`the set has ${signatures.length} signatures`)
      const added = { keyId, signature: signature.toString('base64') }
      const signedKeys = { content, signatures: [...signatures, added] }
      return [{ ...state, signedKeys }, policyKeysVouched(deed, keyId, reason)]
    })
    await this.#reached(revision)
  }

  /**
   * Changes anything else of the state, such as what is pending, together with other things.
   *
   * @returns the store's revision after it
   * @throws {@link SallyportError} `CONCURRENT_CHANGE`
   */
  async change(
    change: (state: PolicyStateRow) => PolicyStateRow,
    others: { readonly mutations?: readonly Mutation[]; readonly audit: readonly AuditEvent[] },
  ): Promise<number> {
    return await this.#change(async (state) => [change(state), ...others.audit], others.mutations)
  }

  async #change(
    change: (state: PolicyStateRow) => Promise<readonly [PolicyStateRow, ...AuditEvent[]]>,
    mutations: readonly Mutation[] = [],
  ): Promise<number> {
    for (let tries = 1; ; tries += 1) {
      // Another change may be stored while this one is made: then it is made anew.
      const state = this.#state
      const [next, ...audit] = await change(state)
      const row = { ...next, revisionNumber: state.revisionNumber + 1 }
      const revision = await this.#put(row, audit, mutations)
      if (revision !== undefined) return revision
      if (tries === TRIES) {
        throw new SallyportError(
          'CONCURRENT_CHANGE',
          'Cannot change the policy state: it was changed at the same moment',
        )
      }
      this.#state = (await this.#deps.store.policySnapshot()).state ?? this.#state
    }
  }

  async #put(
    row: PolicyStateRow,
    audit: readonly AuditEvent[],
    mutations: readonly Mutation[] = [],
  ): Promise<number | undefined> {
    const outcome = await this.#deps.store.commit({
      mutations: [{ kind: 'policyState.put', row }, ...mutations],
      audit,
    })
    if (!outcome.ok) return undefined
    this.#state = row
    return outcome.revision
  }

  async #loadSigners(): Promise<void> {
    const kept = new Set(await this.#deps.keys.names())
    for (const { keyId, keyName, state } of this.#state.keys) {
      if (state === 'revoked') {
        // The server was killed, or the disk failed, before it could be destroyed.
        if (kept.has(keyName)) await this.#destroy(keyName)
        continue
      }
      const signer = await this.#deps.keys.signer(keyName)
      if (signer !== undefined) this.#signers.set(keyId, signer)
      else this.#deps.log.error({ keyName }, 'A policy key is missing from the key store')
    }
  }

  /** It signs nothing any more, whether or not it can be destroyed now. */
  async #destroy(keyName: string): Promise<void> {
    await this.#deps.keys.remove(keyName).catch((err: unknown) => {
      this.#deps.log.error({ keyName, err }, 'Cannot remove a revoked policy key; trying again at the next start')
    })
  }

  /** The state after what happened while no server ran, or undefined when it can stay. */
  async #asItShouldBe(isNew: boolean): Promise<PolicyStateRow | undefined> {
    const { store, clock } = this.#deps
    const stored = this.#state
    const hasSigner = stored.keys.some(({ keyId, state }) => state === 'active' && this.#signers.has(keyId))
    const isRestored = stored.storeEpoch !== store.epoch
    if (!isNew && hasSigner && !isRestored && !this.#differInSecondSigners(stored)) return undefined
    // Later than every epoch that an earlier copy of this store has had.
    const epoch = isRestored ? Math.max(stored.epoch + 1, clock.now().getTime()) : stored.epoch
    const keys = hasSigner
      ? stored.keys
      : [
          ...stored.keys.map((one) => (one.state === 'active' ? { ...one, state: 'old' as const } : one)),
          await this.#newKey(),
        ]
    const lost = isRestored ? await this.#loadUnnamed() : []
    const next = await this.#withKeys({ ...stored, epoch, storeEpoch: store.epoch }, keys, lost)
    return { ...next, revisionNumber: isNew ? 0 : stored.revisionNumber + 1 }
  }

  /**
   * Keys that were made after the copy that this store was restored from: agents may have pinned nothing else, and their signature
   * lets them follow. They sign the next set and nothing after it; trusted they are not.
   */
  async #loadUnnamed(): Promise<string[]> {
    const { keys, log } = this.#deps
    const named = new Set(this.#state.keys.map(({ keyName }) => keyName))
    const found: string[] = []
    for (const keyName of await keys.names()) {
      if (!keyName.startsWith(KEY_NAME_PREFIX) || named.has(keyName)) continue
      const signer = await keys.signer(keyName)
      if (signer === undefined) continue
      const keyId = sha256Hex(signer.publicKey.export({ type: 'spki', format: 'der' }))
      this.#signers.set(keyId, signer)
      found.push(keyId)
      log.warn({ keyName }, 'A policy key of a later time than this store vouches for the keys of now')
    }
    return found
  }

  #differInSecondSigners({ signedKeys }: PolicyStateRow): boolean {
    const { keys } = JSON.parse(signedKeys.content) as PolicyKeysDocument
    const published = keys.filter(({ use }) => use === 'second').map(({ keyId }) => keyId)
    const wanted = this.#deps.secondSigners.map(({ keyId }) => keyId)
    return published.toSorted().join() !== wanted.toSorted().join()
  }

  async #newKey(): Promise<PolicyKeyState> {
    const { keys, clock, random } = this.#deps
    const keyName = `${KEY_NAME_PREFIX}${random(8).toString('hex')}`
    const signer = await keys.generate(keyName, 'ed25519')
    const spki = signer.publicKey.export({ type: 'spki', format: 'der' })
    const keyId = sha256Hex(spki)
    this.#signers.set(keyId, signer)
    return { keyId, keyName, publicKey: spki.toString('base64'), state: 'active', createdAtMs: clock.now().getTime() }
  }

  async #withKeys(
    state: PolicyStateRow,
    keys: readonly PolicyKeyState[],
    lastWordsOf: readonly string[] = [],
  ): Promise<PolicyStateRow> {
    const trusted = keys.filter((one) => one.state !== 'revoked')
    const keysVersion = state.keysVersion + 1
    const document: PolicyKeysDocument = {
      ...{ v: 1, epoch: state.epoch, version: keysVersion, trustDomain: this.#deps.trustDomain.name },
      keys: [
        ...trusted.map(({ keyId, publicKey }): PolicyKeyRow => ({ keyId, publicKey, use: 'policy' })),
        ...this.#deps.secondSigners.map(({ keyId, spki }): PolicyKeyRow => ({
          keyId,
          publicKey: spki.toString('base64'),
          use: 'second',
        })),
      ],
    }
    const content = canonicalText(document)
    const signing = [...trusted.map(({ keyId }) => keyId), ...lastWordsOf].filter((id) => this.#signers.has(id))
    const signatures = await Promise.all(signing.map((keyId) => this.#signWith(keyId, content)))
    const earlierKeys = [...(state.earlierKeys ?? []), ...(state.keysVersion === 0 ? [] : [state.signedKeys])]
    const kept = earlierKeys.slice(-EARLIER_KEYS_MAX)
    return { ...state, keys, keysVersion, signedKeys: { content, signatures }, earlierKeys: kept }
  }

  async #signWith(keyId: string, content: string): Promise<SignedText['signatures'][number]> {
    const signer = this.#signers.get(keyId)
    if (signer === undefined) throw new SallyportError('NOT_READY', `The policy key ${keyId} is not in the key store`)
    const signature = await signer.sign('EdDSA', Buffer.from(content), 'der')
    return { keyId, signature: signature.toString('base64') }
  }
}

function ed25519Of(spki: Buffer): KeyObject {
  try {
    const key = createPublicKey({ key: spki, format: 'der', type: 'spki' })
    if (key.asymmetricKeyType === 'ed25519') return key
  } catch (cause) {
    throw unvouched('its public key cannot be read', cause)
  }
  throw unvouched('its key is not Ed25519')
}

const unvouched = (why: string, cause?: unknown): SallyportError =>
  new SallyportError('POLICY_SIGNATURE_REFUSED', `Cannot vouch for the policy keys: ${why}`, {
    cause,
    hint: 'Take a key that agents still trust: `sallyport status --of agent` on a node names those that it does.',
  })

const firstState = ({ store, clock }: PolicyKeysDeps): PolicyStateRow => ({
  ...{ revisionNumber: 0, epoch: clock.now().getTime(), storeEpoch: store.epoch, keysVersion: 0, keys: [] },
  signedKeys: { content: '{"keys":[]}', signatures: [] },
})

export function activeKeyId({ keys }: PolicyStateRow): string {
  const active = keys.find(({ state }) => state === 'active')
  if (active === undefined) throw new SallyportError('NOT_READY', 'There is no active policy key')
  return active.keyId
}
