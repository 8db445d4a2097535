import { SallyportError } from '../errors.ts'

/** What the transport itself reads; handlers see the rest. */
const transportHeaders = new Set(['te', 'content-type', 'accept-encoding', 'host'])

/** The metadata of a call: lower-case names, each with its values in order. Takes Node's raw headers: name, value, name, … */
export function metadataOf(rawHeaders: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const metadata = new Map<string, string[]>()
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at]!.toLowerCase()
    if (name.startsWith(':') || name.startsWith('grpc-') || transportHeaders.has(name)) continue
    const values = metadata.get(name)
    if (values === undefined) metadata.set(name, [rawHeaders[at + 1]!])
    else values.push(rawHeaders[at + 1]!)
  }
  return metadata
}

const unitsMs: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1000, m: 1, u: 0.001, n: 0.000001 }

/**
 * Milliseconds of a `grpc-timeout` such as `10S`; undefined when there is none.
 *
 * @throws {@link SallyportError} `PROTOCOL_INVALID`
 */
export function timeoutOf(header: string | undefined): number | undefined {
  if (header === undefined) return undefined
  const match = /^(\d{1,8})([HMSmun])$/.exec(header)
  if (match === null) {
    throw new SallyportError('PROTOCOL_INVALID', `Cannot read grpc-timeout ${JSON.stringify(header.slice(0, 40))}`)
  }
  return Math.ceil(Number(match[1]) * (unitsMs[match[2]!] ?? 1))
}

/** Prints milliseconds as a `grpc-timeout`: at most eight digits and a unit. */
export function printTimeout(timeoutMs: number): string {
  const ms = Math.max(Math.ceil(timeoutMs), 1)
  if (ms < 1e8) return `${ms}m`
  return ms < 1e11 ? `${Math.ceil(ms / 1000)}S` : '99999999S'
}
