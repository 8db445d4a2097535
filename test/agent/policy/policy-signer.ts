import { createHash, generateKeyPairSync, sign, type KeyObject } from 'node:crypto'
import { digestOf, type HeldSliceState } from '../../../agent/policy/policy-state.ts'
import { canonicalJson, type CanonicalValue } from '../../../src/jws/canonical-json.ts'
import type { FastLaneEvent } from '../../../src/policy/fast-lane.ts'
import { NO_LIFECYCLE } from '../../../src/policy/lifecycle.ts'
import type { PushedPolicy } from '../../../agent/upstream/policy-messages.ts'

interface Key {
  readonly keyId: string
  readonly publicKey: KeyObject
  readonly privateKey: KeyObject
}

export function aPolicyKey(): Key {
  const { publicKey, privateKey } = generateKeyPairSync('ed25519')
  return { publicKey, privateKey, keyId: sha256(publicKey.export({ format: 'der', type: 'spki' })).toString('hex') }
}

const sha256 = (content: Buffer): Buffer => createHash('sha256').update(content).digest()

/** A server's policy key and what it signs: slices, the fast lane, sets of keys. */
export class PolicySigner {
  readonly epoch: number
  #key: Key
  #previous = ''
  #sequence = 0

  constructor({ epoch = 1, key = aPolicyKey() }: { readonly epoch?: number; readonly key?: Key } = {}) {
    this.epoch = epoch
    this.#key = key
  }

  get key(): Key {
    return this.#key
  }

  signed(document: CanonicalValue, { keyId, privateKey } = this.#key) {
    const content = Buffer.from(canonicalJson(document))
    return { content, signatures: [{ keyId: Buffer.from(keyId, 'hex'), signature: sign(null, content, privateKey) }] }
  }

  keys(version = 1, keys: readonly Key[] = [this.#key], by = this.#key) {
    const rows = keys.map(({ keyId, publicKey }) => ({
      keyId,
      publicKey: publicKey.export({ format: 'der', type: 'spki' }).toString('base64'),
      use: 'policy' as const,
    }))
    return this.signed({ v: 1, epoch: this.epoch, version, trustDomain: 'example.org', keys: rows }, by)
  }

  slice(path: string, asOf: number, fields: Readonly<Record<string, CanonicalValue>> = {}) {
    return this.signed({
      ...{ v: 1, epoch: this.epoch, revision: asOf, asOf, issuedAt: 1, trustDomain: 'example.org' },
      ...{ spiffeId: `spiffe://example.org${path}`, policyName: 'p', policyDigest: '', policy: {}, members: [] },
      ...fields,
    })
  }

  /** The next entry of the fast lane. */
  entry(event: FastLaneEvent = { kind: 'offboard', body: { spiffeId: 'spiffe://example.org/a' } }) {
    this.#sequence++
    const header = { v: 1, epoch: this.epoch, sequence: this.#sequence, previous: this.#previous, at: this.#sequence }
    const signed = this.signed({ ...header, ...event } as unknown as CanonicalValue)
    this.#previous = sha256(signed.content).toString('hex')
    return signed
  }

  lifecycle() {
    const header = { v: 1, epoch: this.epoch, sequence: this.#sequence, previous: this.#previous, at: 1 }
    return this.signed({ ...header, lifecycle: NO_LIFECYCLE } as unknown as CanonicalValue)
  }

  snapshot(revision: number, slices: readonly ReturnType<PolicySigner['slice']>[], keys = this.keys()): PushedPolicy {
    return { kind: 'policySnapshot', epoch: this.epoch, revision, slices, keys, digest: digestOfSlices(slices) }
  }

  /** @param held what the agent holds afterwards */
  delta(
    revision: number,
    slices: readonly ReturnType<PolicySigner['slice']>[],
    held: readonly ReturnType<PolicySigner['slice']>[],
    removedIdentities: readonly string[] = [],
  ): PushedPolicy {
    const digest = digestOfSlices(held)
    return { kind: 'policyDelta', epoch: this.epoch, revision, slices, removedIdentities, keys: null, digest }
  }

  fastLane(...entries: readonly ReturnType<PolicySigner['entry']>[]): PushedPolicy {
    return { kind: 'fastLane', entries, snapshot: null, keys: null }
  }
}

function digestOfSlices(slices: readonly { readonly content: Buffer }[]): Buffer {
  const held = slices.map(({ content }): [string, Pick<HeldSliceState, 'digest'>] => [
    (JSON.parse(content.toString()) as { readonly spiffeId: string }).spiffeId,
    { digest: sha256(content) },
  ])
  return digestOf(new Map(held))
}

/** The same with one byte changed. */
export function tampered<T extends { readonly content: Buffer }>(signed: T): T {
  const content = Buffer.from(signed.content)
  const at = content.indexOf('"asOf":')
  const place = at === -1 ? content.lastIndexOf('1') : at + '"asOf":'.length
  content[place] = 0x39
  return { ...signed, content }
}
