import * as z from 'zod'
import { SallyportError } from '../errors.ts'
import { SpiffeId } from '../id/spiffe-id.ts'
import { TrustDomain } from '../id/trust-domain.ts'

const UNIT_SECONDS = { s: 1, m: 60, h: 3600, d: 86_400 } as const

export const seconds = (count: number): string => `${count}s`
export const minutes = (count: number): string => `${count}m`
export const hours = (count: number): string => `${count}h`
export const days = (count: number): string => `${count}d`

/**
 * Reads a duration such as `10m`, `1h30m` or `7d` as seconds.
 *
 * @throws {@link SallyportError} `DURATION_INVALID`
 */
export function parseDuration(text: string): number {
  const parts = [...text.matchAll(/(\d{1,9})(ms|s|m|h|d)/g)]
  if (parts.length > 0 && parts.map(([whole]) => whole).join('') === text) {
    const total = parts.reduce(
      (sum, [, count, unit]) =>
        sum + Number(count) * (unit === 'ms' ? 0.001 : UNIT_SECONDS[unit as keyof typeof UNIT_SECONDS]),
      0,
    )
    if (total <= 2 ** 31 - 1) return total
  }
  throw new SallyportError('DURATION_INVALID', `Cannot read duration "${text.slice(0, 40)}"`)
}

/** `3600` → `1h`. */
export function printDuration(totalSeconds: number): string {
  for (const [unit, size] of [
    ['d', 86_400],
    ['h', 3600],
    ['m', 60],
  ] as const) {
    if (totalSeconds >= size && totalSeconds % size === 0) return `${totalSeconds / size}${unit}`
  }
  return `${totalSeconds}s`
}

/** A value parsed by our own parser, its error turned into a problem of the field. */
export function parsedBy<T>(parse: (text: string) => T) {
  return z.string().transform((text, context): T => {
    try {
      return parse(text)
    } catch (error) {
      context.addIssue({
        code: 'custom',
        message:
          error instanceof Error
            ? `${error.message}. ${error instanceof SallyportError ? error.hint : ''}`.trim()
            : String(error),
      })
      return z.NEVER
    }
  })
}

/** The kinds of values that configuration files hold, beyond text and numbers. */
export const fieldTypes = {
  /** Text such as `example.org` → TrustDomain. */
  trustDomain: parsedBy((text) => TrustDomain.parse(text)),
  spiffeId: parsedBy((text) => SpiffeId.parse(text)),
  /** Text such as `90s`, `10m`, `1h`, `7d` → seconds. */
  duration: parsedBy(parseDuration),
  /** A path; relative ones count from the folder of the configuration file. */
  path: z.string().min(1).max(4096),
  /** The path of a unix socket: sockets of other kinds are not served, since nobody can tell who is behind them. */
  socketPath: z
    .string()
    .min(1)
    .max(4096)
    .regex(/^(?![a-z][a-z0-9+.-]*:)/i, 'must be the path of a unix socket, without unix: before it'),
  /** `host:port`. */
  address: z.string().regex(/^(\[[0-9a-fA-F:]+\]|[a-zA-Z0-9.-]+):\d{1,5}$/, 'must be host:port'),
} as const
