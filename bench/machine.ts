import { spawnSync } from 'node:child_process'
import { cpus, loadavg, release } from 'node:os'

/** What the machine of this run is and can do, so that its figures can be compared with those of others. */
export interface Machine {
  readonly description: string
  readonly signsPerSecond: number
  readonly verifiesPerSecond: number
  /** How many times slower than the machine that the bars were set on: 54,000 sign/s, 21,000 verify/s and core. */
  readonly slowness: number
}

const REFERENCE_SIGNS = 54_000
const REFERENCE_VERIFIES = 21_000

export function calibrate(seconds = 1): Machine {
  const { node, openssl, sqlite } = process.versions
  const system = spawnSync('openssl', ['version'], { encoding: 'utf8' }).stdout?.trim() ?? 'no openssl'
  const [processor] = cpus()
  const { signs, verifies } = opensslSpeed(seconds)
  const time = 1 / signs + 1 / verifies
  return {
    description: `${cpus().length} × ${processor?.model ?? 'unknown'}, Linux ${release()}, Node ${node} (OpenSSL ${openssl}, SQLite ${sqlite}), ${system}`,
    signsPerSecond: signs,
    verifiesPerSecond: verifies,
    slowness: time / (1 / REFERENCE_SIGNS + 1 / REFERENCE_VERIFIES),
  }
}

function opensslSpeed(seconds: number): { readonly signs: number; readonly verifies: number } {
  const { stdout } = spawnSync('openssl', ['speed', '-seconds', String(seconds), 'ecdsap256'], { encoding: 'utf8' })
  const [signs, verifies] = (stdout?.trim().split('\n').at(-1) ?? '').split(/\s+/).slice(-2).map(Number)
  if (!signs || !verifies) throw new Error('`openssl speed ecdsap256` printed no rates')
  return { signs, verifies }
}

export const printMachine = ({ description, signsPerSecond, verifiesPerSecond, slowness }: Machine): string =>
  `${description}\nopenssl speed ecdsap256: ${Math.round(signsPerSecond)} sign/s, ${Math.round(verifiesPerSecond)} verify/s (× ${slowness.toFixed(2)} of the time that the bars were set with); load average ${loadavg()[0]?.toFixed(1)}`
