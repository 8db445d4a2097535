import { hash } from 'node:crypto'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { Clock } from '../../src/clock.ts'
import type { Log } from '../../src/log/log.ts'
import { SLICE_MAX_BYTES } from '../../src/policy/read-slice.ts'
import type { SliceDocument } from '../../src/policy/signed-documents.ts'
import type { Counter } from '../../src/metrics/registry.ts'
import type { CurrentPolicy, PolicyBook } from './policy-book.ts'
import { activeKeyId, type PolicyKeys } from './policy-keys.ts'
import { sha256Hex, signedContentOf, type SignedContent } from './signed-text.ts'
import { objectText, SlicePrinter } from './slice-text.ts'

/** How much slices that are ready to be sent may take, in characters; the oldest go first. */
const CACHE_MAX_CHARACTERS = 128 << 20

export interface SlicesDeps {
  readonly trustDomain: TrustDomain
  readonly book: PolicyBook
  readonly keys: Pick<PolicyKeys, 'sign'>
  readonly clock: Clock
  readonly signed?: Pick<Counter, 'add'> | undefined
  readonly log: Pick<Log, 'error'>
}

type SaidField = 'trustDomain' | 'spiffeId' | 'policyName' | 'policy' | 'members'
type Field<Name> = readonly [name: Name, text: string]

interface Made {
  /** The turn of the book at which it was looked at last. */
  turn: number
  /** SHA-256 (hex) of what it says, whatever the revision and the instant. */
  readonly saidDigest: string
  readonly text: string
  /** SHA-256 of `text`. */
  readonly digest: Buffer
  readonly isTooLong: boolean
  signed: { readonly keyId: string; readonly content: Promise<SignedContent> } | undefined
}

/**
 * The slices of identities (§3.12): made when an agent that holds one is to hear of it, signed once for all agents, and kept as
 * they are while their content is the same, whatever the revision.
 */
export class Slices {
  readonly #deps: SlicesDeps
  readonly #made = new Map<string, Made>()
  readonly #printer = new SlicePrinter()
  #characters = 0

  constructor(deps: SlicesDeps) {
    this.#deps = deps
  }

  /** SHA-256 of the slice's content; undefined while there is no policy, or when the slice is longer than agents take. */
  digestOf(spiffeId: string): Buffer | undefined {
    const made = this.#upToDate(spiffeId)
    return made?.isTooLong === true ? undefined : made?.digest
  }

  /** The slice as it is sent, and its digest. */
  async signed(spiffeId: string): Promise<{ readonly digest: Buffer; readonly slice: SignedContent } | undefined> {
    const made = this.#upToDate(spiffeId)
    if (made === undefined || made.isTooLong) return undefined
    const { keys, book } = this.#deps
    const { state } = book
    const keyId = activeKeyId(state)
    // What a key signed that is trusted no longer would be refused.
    if (made.signed?.keyId !== keyId) {
      made.signed = { keyId, content: keys.sign(made.text, state).then(signedContentOf) }
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
    const said = this.#said(current, spiffeId)
    const saidDigest = sha256Hex(objectText(said))
    if (known?.saidDigest === saidDigest) {
      known.turn = book.turn
      return known
    }
    const text = objectText([...said, ...this.#head(current, saidDigest)])
    const digest = hash('sha256', text, 'buffer')
    const isTooLong = Buffer.byteLength(text) > SLICE_MAX_BYTES
    // One that agents refuse would keep them from all others; an identity without a slice reaches nothing.
    if (isTooLong)
      this.#deps.log.error({ spiffeId, mostBytes: SLICE_MAX_BYTES }, 'The slice of an identity is too long')
    const made: Made = { turn: book.turn, saidDigest, text, digest, isTooLong, signed: undefined }
    this.#keep(spiffeId, made)
    return made
  }

  /** What it says, whatever the revision and the instant. */
  #said({ row, members }: CurrentPolicy, spiffeId: string): readonly Field<SaidField>[] {
    const text = this.#printer.print(members.slice(spiffeId))
    return [
      ['trustDomain', JSON.stringify(this.#deps.trustDomain.name)],
      ['spiffeId', JSON.stringify(spiffeId)],
      ['policyName', JSON.stringify(row.policy.name)],
      ['policy', text.policy],
      ['members', text.members],
    ]
  }

  #head({ row }: CurrentPolicy, saidDigest: string): readonly Field<Exclude<keyof SliceDocument, SaidField>>[] {
    const { book, clock } = this.#deps
    return [
      ['v', '1'],
      ['epoch', String(book.epoch)],
      ['revision', String(row.revision)],
      ['asOf', String(book.revision)],
      ['issuedAt', String(clock.now().getTime())],
      ['policyDigest', JSON.stringify(row.digest)],
      ['digest', JSON.stringify(saidDigest)],
    ]
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
