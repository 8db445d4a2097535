/** Randomness that a simulation may decide. */
export type Random = (bytes: number) => Buffer

/** A number in [0, 1). */
export const drawnFrom = (random: Random): number => random(4).readUInt32BE() / 2 ** 32

/** The part of an SVID's life after which it is renewed: drawn once for each SVID, so that renewals do not bunch. */
const EARLIEST = 0.45
const SPREAD = 0.1

/** Servers date what they issue back by this much, for clocks that differ; it is no part of the life that a renewal halves. */
export const BACKDATED_MS = 10_000

/** No renewal comes sooner after the one before it, however little is left. */
const SOONEST_MS = 1_000

/**
 * When to renew something that lives from `notBefore` to `notAfter`: at half-life, give or take a twentieth.
 *
 * @param receivedAt what is past by then is no part of the life either: where the clocks of server and agent are far apart,
 *   everything would be due on arrival, and be renewed without end
 */
export function renewalTime(notBefore: Date, notAfter: Date, random: Random, receivedAt?: Date): Date {
  const dated = notAfter.getTime() - notBefore.getTime()
  const backdated = notBefore.getTime() + Math.min(BACKDATED_MS, dated / 2)
  const start = Math.max(backdated, receivedAt?.getTime() ?? -Infinity)
  const life = notAfter.getTime() - start
  const at = start + life * (EARLIEST + SPREAD * drawnFrom(random))
  return new Date(receivedAt === undefined ? at : Math.max(at, receivedAt.getTime() + SOONEST_MS))
}

/** Milliseconds to wait after the nth failure in a row: up to `firstMs`, doubling to `mostMs`, at least a quarter of that. */
export function backoffMs(failures: number, firstMs: number, mostMs: number, random: Random): number {
  const full = Math.min(mostMs, firstMs * 2 ** Math.min(Math.max(failures - 1, 0), 30))
  return full / 4 + ((full * 3) / 4) * drawnFrom(random)
}
