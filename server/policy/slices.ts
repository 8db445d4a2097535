import { hash } from 'node:crypto'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { Clock } from '../../src/clock.ts'
import type { SliceDocument } from '../../src/policy/signed-documents.ts'
import type { Counter } from '../../src/metrics/registry.ts'
import type { CurrentPolicy, PolicyBook } from './policy-book.ts'
import type { PolicyKeys } from './policy-keys.ts'
import { canonicalText, sha256Hex, signedContentOf, type SignedContent } from './signed-text.ts'

/** How much slices that are ready to be sent may take, in characters; the oldest go first. */
const CACHE_MAX_CHARACTERS = 128 << 20

export interface SlicesDeps {
  readonly trustDomain: TrustDomain
  readonly book: PolicyBook
  readonly keys: Pick<PolicyKeys, 'sign' | 'activeKeyId'>
  readonly clock: Clock
  readonly signed?: Pick<Counter, 'add'> | undefined
}

interface Made {
  /** The turn of the book at which it was looked at last. */
  turn: number
  /** SHA-256 (hex) of what it says, whatever the revision and the instant. */
  readonly saidDigest: string
  readonly text: string
  /** SHA-256 of `text`. */
  readonly digest: Buffer
  signed: { readonly keyId: string; readonly content: Promise<SignedContent> } | undefined
}

/**
 * The slices of identities (§3.12): made when an agent that holds one is to hear of it, signed once for all agents, and kept as
 * they are while their content is the same, whatever the revision.
 */
export class Slices {
  readonly #deps: SlicesDeps
  readonly #made = new Map<string, Made>()
  #characters = 0

  constructor(deps: SlicesDeps) {
    this.#deps = deps
  }

  /** SHA-256 of the slice's content; undefined while there is no policy. */
  digestOf(spiffeId: string): Buffer | undefined {
    return this.#upToDate(spiffeId)?.digest
  }

  /** The slice as it is sent, and its digest. */
  async signed(spiffeId: string): Promise<{ readonly digest: Buffer; readonly slice: SignedContent } | undefined> {
    const made = this.#upToDate(spiffeId)
    if (made === undefined) return undefined
    const { keys } = this.#deps
    // What a key signed that is trusted no longer would be refused.
    if (made.signed?.keyId !== keys.activeKeyId) {
      made.signed = { keyId: keys.activeKeyId, content: keys.sign(made.text).then(signedContentOf) }
      this.#deps.signed?.add()
    }
    return { digest: made.digest, slice: await made.signed.content }
  }

  #upToDate(spiffeId: string): Made | undefined {
    const { book } = this.#deps
    const { current } = book
    if (current === undefined) return undefined
    const known = this.#made.get(spiffeId)
    if (known !== undefined && known.turn >= book.touchedAt(spiffeId)) return known
    const document = this.#document(current, spiffeId)
    if (known?.saidDigest === document.digest) {
      known.turn = book.turn
      return known
    }
    const text = canonicalText(document)
    const digest = hash('sha256', text, 'buffer')
    const made: Made = { turn: book.turn, saidDigest: document.digest, text, digest, signed: undefined }
    this.#keep(spiffeId, made)
    return made
  }

  #document({ row, members }: CurrentPolicy, spiffeId: string): SliceDocument {
    const { trustDomain, book, clock } = this.#deps
    const said = {
      ...{ trustDomain: trustDomain.name, spiffeId, policyName: row.policy.name },
      ...members.slice(spiffeId),
    }
    return {
      ...{ v: 1, epoch: book.epoch, revision: row.revision, asOf: book.revision },
      ...{ issuedAt: clock.now().getTime(), policyDigest: row.digest },
      digest: sha256Hex(canonicalText(said)),
      ...said,
    }
  }

  #keep(spiffeId: string, made: Made): void {
    this.#forget(spiffeId)
    this.#made.set(spiffeId, made)
    this.#characters += made.text.length
    for (const id of this.#made.keys()) {
      if (this.#characters <= CACHE_MAX_CHARACTERS || id === spiffeId) return
      this.#forget(id)
    }
  }

  #forget(spiffeId: string): void {
    this.#characters -= this.#made.get(spiffeId)?.text.length ?? 0
    this.#made.delete(spiffeId)
  }
}
