/** Randomness that a simulation may decide. */
export type Random = (bytes: number) => Buffer

/** A number in [0, 1). */
export const drawnFrom = (random: Random): number => random(4).readUInt32BE() / 2 ** 32

/** The part of an SVID's life after which it is renewed: drawn once for each SVID, so that renewals do not bunch. */
const EARLIEST = 0.45
const SPREAD = 0.1

/** Servers date what they issue back by this much, for clocks that differ; it is no part of the life that a renewal halves. */
const BACKDATED_MS = 10_000

/** When to renew something that lives from `notBefore` to `notAfter`: at half-life, give or take a twentieth. */
export function renewalTime(notBefore: Date, notAfter: Date, random: Random): Date {
  const dated = notAfter.getTime() - notBefore.getTime()
  const start = notBefore.getTime() + Math.min(BACKDATED_MS, dated / 2)
  const life = notAfter.getTime() - start
  return new Date(start + life * (EARLIEST + SPREAD * drawnFrom(random)))
}

/** Milliseconds to wait after the nth failure in a row: up to `firstMs`, doubling to `mostMs`, at least a quarter of that. */
export function backoffMs(failures: number, firstMs: number, mostMs: number, random: Random): number {
  const full = Math.min(mostMs, firstMs * 2 ** Math.min(Math.max(failures - 1, 0), 30))
  return full / 4 + ((full * 3) / 4) * drawnFrom(random)
}
