import { hash } from 'node:crypto'

/** The part of an entry that a digest depends on; `createdAt` tells a recreated entry from its namesake. */
export interface DigestedEntry {
  readonly id: string
  readonly revisionNumber: number
  readonly createdAt: Date
}

/** The part of a bundle that a digest depends on. */
export interface DigestedBundle {
  readonly trustDomain: { readonly name: string }
  readonly sequenceNumber: number
}

const MODULUS = 1n << 128n

/**
 * What an agent holds, in 16 bytes: the sum modulo 2^128 of a hash of each entry and bundle. A sum, so that order does not matter
 * and a change costs two hashes however large the view is. Server and agent compute it with this class and compare.
 *
 * It finds a lost or repeated change between parties that trust each other's connection; it is no proof against forgery.
 */
export class ViewDigest {
  #sum = 0n

  /** Reads what {@link bytes} wrote; anything that is not 16 bytes counts as the digest of nothing. */
  static from(bytes: Uint8Array): ViewDigest {
    const digest = new ViewDigest()
    if (bytes.length === 16) digest.#sum = BigInt(`0x${Buffer.from(bytes).toString('hex')}`)
    return digest
  }

  static of(entries: Iterable<DigestedEntry>, bundles: Iterable<DigestedBundle>): ViewDigest {
    const digest = new ViewDigest()
    for (const entry of entries) digest.addEntry(entry)
    for (const bundle of bundles) digest.addBundle(bundle)
    return digest
  }

  addEntry(entry: DigestedEntry): void {
    this.#add(entryTerm(entry))
  }

  removeEntry(entry: DigestedEntry): void {
    this.#add(MODULUS - entryTerm(entry))
  }

  addBundle(bundle: DigestedBundle): void {
    this.#add(bundleTerm(bundle))
  }

  removeBundle(bundle: DigestedBundle): void {
    this.#add(MODULUS - bundleTerm(bundle))
  }

  /** 16 bytes, big-endian. */
  get bytes(): Buffer {
    return Buffer.from(this.#sum.toString(16).padStart(32, '0'), 'hex')
  }

  equals(bytes: Uint8Array): boolean {
    return this.bytes.equals(bytes)
  }

  #add(term: bigint): void {
    this.#sum = (this.#sum + term) % MODULUS
  }
}

// Whole seconds: that is what the wire carries.
const entryTerm = ({ id, revisionNumber, createdAt }: DigestedEntry): bigint =>
  termOf(`entry\n${id}\n${revisionNumber}\n${Math.floor(createdAt.getTime() / 1000)}`)

const bundleTerm = ({ trustDomain, sequenceNumber }: DigestedBundle): bigint =>
  termOf(`bundle\n${trustDomain.name}\n${sequenceNumber}`)

const termOf = (text: string): bigint => BigInt(`0x${hash('sha256', text).slice(0, 32)}`)
