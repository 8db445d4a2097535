import type { BrokerSource } from '../../../src/broker/broker-identity.ts'
import { TestSource } from '../../fakes/test-source.ts'

/** A source that says when the test has changed it. */
export class ListeningSource implements BrokerSource {
  readonly #held: TestSource
  readonly #listeners = new Set<() => void>()

  constructor(...given: ConstructorParameters<typeof TestSource>) {
    this.#held = new TestSource(...given)
  }

  current(): ReturnType<BrokerSource['current']> {
    return this.#held.current()
  }

  onChange(listener: () => void): Disposable {
    this.#listeners.add(listener)
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) }
  }

  use(...given: Parameters<TestSource['use']>): void {
    this.#held.use(...given)
    for (const listener of this.#listeners) listener()
  }

  withdraw(): void {
    this.#held.withdraw()
    for (const listener of this.#listeners) listener()
  }
}
