import { Conversation } from '../e2e/conversation.ts'
import { RunningProcess } from '../e2e/processes.ts'
import type { ForeignProgram } from './toolchains.ts'

/** What somebody else's library made of a connection: whom it took us for, or why it would not. */
export interface ForeignVerdict {
  readonly peer?: string
  readonly refused?: string
}

/** One end of connections, made by others; both ends of the table are in its files and ours. */
export interface ForeignEnd extends AsyncDisposable {
  /** Lets it connect as `identity`, a folder or the address of a Workload API, to a server that must be `wanted`. */
  dial(protocol: string, port: number, wanted: string, identity: string): Promise<ForeignVerdict>
  /** Lets it wait for one client, who must be `wanted`; gives the port. */
  serve(protocol: string, wanted: string, identity: string): Promise<number>
  /** What came of that client. */
  outcome(): Promise<ForeignVerdict>
}

/** A program that connects and serves as it is told, a line for each order: started once, used for all rows of a table. */
export class ForeignPeer implements ForeignEnd {
  readonly #process: RunningProcess
  readonly #conversation: Conversation

  constructor({ command, args }: ForeignProgram) {
    this.#process = new RunningProcess(command, [...args, 'peer'])
    this.#conversation = new Conversation(this.#process)
  }

  dial(protocol: string, port: number, wanted: string, identity: string): Promise<ForeignVerdict> {
    return this.#conversation.ask(`dial ${protocol} 127.0.0.1:${port} ${wanted} ${identity}`)
  }

  async serve(protocol: string, wanted: string, identity: string): Promise<number> {
    const { address } = await this.#conversation.ask<{ readonly address: string }>(
      `serve ${protocol} ${wanted} ${identity}`,
    )
    return Number(address.split(':').at(-1))
  }

  outcome(): Promise<ForeignVerdict> {
    return this.#conversation.ask('outcome')
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]()
  }
}
