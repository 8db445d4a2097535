import type { Cryptography, KeyPair } from '../../src/key/cryptography.ts'
import type { KeyType } from '../../src/key/key-type.ts'

/** Key pairs made ahead of need: an RSA key takes longer than everything else that stands between an entry and its SVID. */
export class KeyPool {
  readonly #cryptography: Cryptography
  readonly #type: KeyType
  readonly #size: number
  readonly #ready: KeyPair[] = []
  #making = 0

  constructor(cryptography: Cryptography, type: KeyType, size: number) {
    this.#cryptography = cryptography
    this.#type = type
    this.#size = size
  }

  /** A key pair that nobody else gets. */
  async take(): Promise<KeyPair> {
    const ready = this.#ready.pop()
    this.refill()
    return ready ?? (await this.#cryptography.generateKeyPair(this.#type))
  }

  /** Starts to make what is missing. A key that cannot be made now is made when it is asked for, where failing is heard. */
  refill(): void {
    while (this.#ready.length + this.#making < this.#size) {
      this.#making++
      this.#cryptography.generateKeyPair(this.#type).then(
        (pair) => {
          this.#making--
          this.#ready.push(pair)
        },
        () => this.#making--,
      )
    }
  }
}
