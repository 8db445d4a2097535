import type { Cryptography, KeyPair } from '../key/cryptography.ts'
import { algorithmOf } from '../key/signature-algorithm.ts'
import { encodeAlgorithm } from './algorithm-identifier.ts'
import { bitString, integer, oid, sequence, setOf, tagged } from './der-writer.ts'
import { encodeAlternativeNames } from './encode-extensions.ts'
import { encodeName } from './name.ts'
import { spkiOf } from './spki.ts'

/** What a request asks for; a server takes the key and decides the rest itself. */
export interface CsrOrder {
  readonly keyPair: KeyPair
  readonly uriSan?: string
  readonly dnsSans?: readonly string[]
  readonly commonName?: string
}

const VERSION_1 = integer(0n)
const EXTENSION_REQUEST = oid('1.2.840.113549.1.9.14')

/** Makes a PKCS#10 request, signed with its own key: DER. */
export async function encodeCsr(order: CsrOrder, cryptography: Cryptography): Promise<Buffer> {
  const { keyPair, uriSan, dnsSans = [], commonName } = order
  const algorithm = algorithmOf(keyPair.type)
  const uris = uriSan === undefined ? [] : [uriSan]
  const names = encodeAlternativeNames({ uris, dnsNames: dnsSans }, false)
  const isNamed = uris.length + dnsSans.length > 0
  const info = sequence(
    VERSION_1,
    encodeName(commonName === undefined ? {} : { commonName }),
    spkiOf(keyPair.publicKey),
    tagged(0, ...(isNamed ? [sequence(EXTENSION_REQUEST, setOf(sequence(names)))] : [])),
  )
  const signature = await cryptography.sign(algorithm, keyPair.privateKey, info, 'der')
  return sequence(info, encodeAlgorithm(algorithm), bitString(signature))
}
