import { hash } from 'node:crypto'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'

/** A serial number is 16 bytes: 47 bits that name the agent it was issued through, then 80 random bits. */
const RANDOM_BYTES = 10
const RANDOM_BITS = BigInt(RANDOM_BYTES * 8)
const TAG_BITS = 47n

/**
 * The tag of everything issued through one agent, so that a node's credentials can be named at once.
 *
 * 47 bits of a hash: among 10,000 agents, the chance that any two share one is less than one in a million.
 */
export function serialTagOf(agentId: SpiffeId | string): bigint {
  return BigInt(`0x${hash('sha256', `sallyport-serial-tag:${agentId.toString()}`, 'hex').slice(0, 12)}`) >> 1n
}

/** The tag that a serial number carries; 0 for what was issued through no agent. */
export const serialTagIn = (serialNumber: bigint): bigint => serialNumber >> RANDOM_BITS

/** Makes serial numbers for tags: positive, at most 16 bytes, 80 random bits each. */
export function serialNumbers(tags: readonly bigint[], random: (bytes: number) => Buffer): bigint[] {
  const bytes = random(RANDOM_BYTES * tags.length)
  return tags.map((tag, index) => {
    if (tag >> TAG_BITS !== 0n) throw new TypeError(`${tag} is not the tag of a serial number`)
    const at = index * RANDOM_BYTES
    const bits = (BigInt(bytes.readUIntBE(at, 4)) << 48n) | BigInt(bytes.readUIntBE(at + 4, 6))
    // Zero is not a serial number; with a tag it would be one, but then all-zero bits are as odd, and as rare.
    return (tag << RANDOM_BITS) | (bits === 0n ? 1n : bits)
  })
}
