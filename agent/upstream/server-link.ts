import type { KeyObject } from 'node:crypto'
import type { Clock } from '../../src/clock.ts'
import type { Transport } from '../../src/wire/client.ts'
import type { VerifyServer } from './server-identity.ts'

/** The agent's own SVID, as a connection presents it. */
export interface LinkIdentity {
  /** DER, leaf first. */
  readonly chain: readonly Buffer[]
  readonly privateKey: KeyObject
}

export interface Dial {
  /** host:port */
  readonly address: string
  readonly verify: VerifyServer
  readonly identity: LinkIdentity | undefined
}

/** Opens a connection to the server; a simulation gives its own network here. */
export type Connect = (dial: Dial) => Transport

/** How long calls that were under way may take on a connection that has been replaced. */
const OVERLAP_MS = 15_000

/** The connection to the server, replaced whenever the agent's SVID is: calls that were under way finish on the old one. */
export class ServerLink implements AsyncDisposable {
  readonly #connect: Connect
  readonly #clock: Clock
  readonly #dial: Omit<Dial, 'identity'>
  #transport: Transport
  readonly #replaced = new Map<Transport, Disposable>()

  constructor(deps: { readonly connect: Connect; readonly clock: Clock } & Omit<Dial, 'identity'>) {
    this.#connect = deps.connect
    this.#clock = deps.clock
    this.#dial = { address: deps.address, verify: deps.verify }
    this.#transport = this.#connect({ ...this.#dial, identity: undefined })
  }

  get transport(): Transport {
    return this.#transport
  }

  /** Connects anew with this identity, or without one. */
  use(identity: LinkIdentity | undefined): void {
    const old = this.#transport
    this.#transport = this.#connect({ ...this.#dial, identity })
    const timer = this.#clock.timer(OVERLAP_MS, () => {
      this.#replaced.delete(old)
      void old.close()
    })
    this.#replaced.set(old, timer)
  }

  /** A connection for one purpose, such as fetching a bundle before anything is trusted. The caller closes it. */
  dial(verify: VerifyServer): Transport {
    return this.#connect({ ...this.#dial, verify, identity: undefined })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const timer of this.#replaced.values()) timer[Symbol.dispose]()
    await Promise.all([this.#transport, ...this.#replaced.keys()].map((transport) => transport.close()))
  }
}
