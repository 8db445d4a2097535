import type { Cryptography } from '../../src/key/cryptography.ts'
import type { Log } from '../../src/log/log.ts'
import type { LogFields } from '../../src/log/fields.ts'
import { cheapCryptography, realCryptography } from './cheap-cryptography.ts'
import type { Link } from './lane.ts'
import { SimulatedProcess, WallClock } from './machine.ts'
import { SimulatedNetwork, type NetworkObserver } from './network.ts'
import { Oracle } from './oracle.ts'
import { Random } from './random.ts'
import { Trace } from './trace.ts'
import { VirtualTime } from './virtual-time.ts'

export interface WorldOptions {
  readonly seed: number
  readonly realCryptography?: boolean
  /** How many lines of the trace are kept. */
  readonly keep?: number
}

/** What all parts of one simulation share. */
export class World {
  readonly random: Random
  readonly time = new VirtualTime()
  readonly trace: Trace
  readonly oracle = new Oracle()
  readonly observer: NetworkObserver = {}
  readonly network: SimulatedNetwork
  readonly cryptography: Cryptography
  /** What went wrong first. */
  failure: string | undefined

  constructor({ seed, realCryptography: isReal = false, keep = 400 }: WorldOptions) {
    this.random = new Random(seed)
    this.trace = new Trace(() => this.time.nowMs, keep)
    this.cryptography = isReal ? realCryptography() : cheapCryptography()
    this.network = new SimulatedNetwork({
      time: this.time,
      random: this.random.fork(),
      trace: this.trace,
      observer: this.observer,
    })
  }

  /** A rule was broken. Only the first one counts: what follows from it says little. */
  violation(what: string): void {
    if (this.failure !== undefined) return
    this.failure = what
    this.trace.add(`VIOLATION ${what}`)
  }

  link(name: string, minMs: number, maxMs: number): Link {
    return { name, minMs, maxMs, isDown: false }
  }

  machine(): WallClock {
    return new WallClock(this.time)
  }

  process(name: string, wall: WallClock): SimulatedProcess {
    return new SimulatedProcess(name, this.time, wall)
  }

  /** What a process says about itself becomes part of the trace; `onError` hears what only a fault of the product can cause. */
  logOf(process: SimulatedProcess, onError: (sentence: string, err: unknown) => void): Log {
    const write = (level: string, fields: LogFields, sentence: string): void => {
      if (!process.isAlive) return
      this.trace.add(`${process.name} ${level}: ${sentence}`)
      const { err, ...others } = fields as { err?: unknown }
      if (level !== 'info') this.trace.remark(`${err instanceof Error ? err.message : ''} ${inspectFields(others)}`)
      if (level === 'error') onError(sentence, err)
    }
    const log: Log = {
      level: 'info',
      debug: () => undefined,
      info: (fields, sentence) => write('info', fields, sentence),
      warn: (fields, sentence) => write('warn', fields, sentence),
      error: (fields, sentence) => write('error', fields, sentence),
      child: () => log,
    }
    return log
  }
}

const inspectFields = (fields: object): string =>
  Object.entries(fields)
    .map(([name, value]) => `${name}=${String(value)}`)
    .join(' ')
