import { createInterface } from 'node:readline'
import type { RunningProcess } from './processes.ts'

/** Talks with a process that answers each line on its standard input with a line of JSON, in the order of asking. */
export class Conversation {
  readonly #process: RunningProcess
  readonly #answers: AsyncIterator<string>

  constructor(process: RunningProcess) {
    this.#process = process
    this.#answers = createInterface({ input: process.child.stdout! })[Symbol.asyncIterator]()
  }

  ask<T>(line: string): Promise<T> {
    this.#process.child.stdin!.write(`${line}\n`)
    return this.next()
  }

  /** What it says next, of itself. */
  async next<T>(): Promise<T> {
    const { done, value } = await this.#answers.next()
    if (done === true) throw new Error(`the process has ended:\n${this.#process.stderr}`)
    return JSON.parse(value) as T
  }
}
