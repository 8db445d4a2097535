import type { Clock } from '../../src/clock.ts'
import type { Selector } from '../../src/entry/selector.ts'
import { SallyportError } from '../../src/errors.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import { checkPublicKey, VERIFIED_KEYS } from '../../src/key/public-key.ts'
import type { Certificate } from '../../src/x509/certificate.ts'
import { decodeCertificate } from '../../src/x509/decode-certificate.ts'
import { commonNameOf } from '../../src/x509/name.ts'
import { verifyChain } from '../../src/x509/verify-chain.ts'
import {
  decodeX509popPayload,
  decodeX509popResponse,
  encodeX509popChallenge,
  verifyX509popResponse,
  X509POP,
  X509POP_PAYLOAD_MAX_BYTES,
  x509popFingerprint,
  x509popKindOf,
} from '../../src/x509/x509pop-payload.ts'
import { parseAgentPathTemplate } from './agent-path-template.ts'
import type { NodeAttestor } from './node-attestor.ts'

export const X509POP_DEFAULTS = {
  agentPathTemplate: '/{{ .PluginName }}/{{ .Fingerprint }}',
  maxIntermediates: 4,
  maxRsaBits: 8192,
} as const

const NONCE_BYTES = 32
const TEMPLATE_NAMES = [
  'PluginName',
  'Fingerprint',
  'SerialNumberHex',
  'TrustDomain',
  'Subject.CommonName',
  'URISanSelectors.',
]

export interface X509popDeps {
  readonly trustDomain: TrustDomain
  /** The authorities that certify nodes, as of now. */
  readonly authorities: () => readonly Certificate[]
  readonly agentPathTemplate: string
  readonly maxIntermediates: number
  readonly maxRsaBits: number
  readonly clock: Clock
  readonly cryptography: Cryptography
  readonly random: (bytes: number) => Buffer
}

/** Nodes that hold a certificate of an authority that the configuration names, and its key. */
export function x509popAttestor(deps: X509popDeps): NodeAttestor {
  const agentPath = parseAgentPathTemplate(deps.agentPathTemplate, TEMPLATE_NAMES)
  return {
    type: X509POP,
    payloadMaxBytes: X509POP_PAYLOAD_MAX_BYTES,
    async *attest(payload) {
      const presented = readCertificates(decodeX509popPayload(payload), deps)
      const verified = await verifyPresented(presented, deps)
      const [leaf] = verified
      yield* checkPossession(leaf, deps)
      const sans = uriSanSelectors(leaf, deps.trustDomain)
      return {
        agentId: agentPath(factsOf(leaf, sans, deps.trustDomain), deps.trustDomain),
        selectors: selectorsOf(verified, sans),
        canReattest: true,
        mutations: [],
        audit: [],
        refusalOf: async () =>
          new SallyportError('CONCURRENT_CHANGE', 'Cannot attest the node: its record changed at the same moment'),
      }
    },
  }
}

/** Sizes first: nothing is computed with a key before it is known to be an ordinary one. */
function readCertificates(
  ders: readonly Buffer[],
  { maxIntermediates, maxRsaBits }: X509popDeps,
): readonly Certificate[] {
  if (ders.length - 1 > maxIntermediates) {
    throw refused(`it presented ${ders.length - 1} intermediate certificates, at most ${maxIntermediates} are accepted`)
  }
  const certificates = ders.map((der) => decodeCertificate(der))
  for (const certificate of certificates) checkPublicKey(certificate, { ...VERIFIED_KEYS, maxRsaBits })
  return certificates
}

/** The presented leaf, then every certificate of the verified paths above it, the authorities included. */
async function verifyPresented(
  presented: readonly Certificate[],
  { authorities, clock, cryptography, maxRsaBits }: X509popDeps,
): Promise<readonly [Certificate, ...Certificate[]]> {
  const chain = orderedChain(presented, authorities())
  const [leaf] = chain
  if (leaf.keyUsage?.has('digitalSignature') !== true) {
    throw refused('its certificate is not intended for digital signature use')
  }
  const last = chain.at(-1) ?? leaf
  const input = { chain, now: clock.now(), cryptography, keyLimits: { ...VERIFIED_KEYS, maxRsaBits } }
  const above: Certificate[] = []
  let failure: unknown
  // One authority at a time: each that issued the chain becomes a selector, as in SPIRE.
  for (const authority of authorities().filter(({ subject }) => subject.equals(last.issuer))) {
    try {
      above.push(...(await verifyChain({ ...input, authorities: [authority] })).slice(1))
    } catch (error) {
      failure = error
    }
  }
  if (above.length > 0) return [leaf, ...above]
  throw new SallyportError('ATTESTATION_REFUSED', `Cannot attest the node: ${messageOf(failure)}`, { cause: failure })
}

const messageOf = (failure: unknown): string =>
  failure instanceof SallyportError ? failure.message : 'no configured authority issued its certificate'

/** Leaf first, each issued by the next by name. Certificates that no path needs are left out and prove nothing. */
function orderedChain(
  [leaf, ...others]: readonly Certificate[],
  authorities: readonly Certificate[],
): [Certificate, ...Certificate[]] {
  if (leaf === undefined) throw refused('no certificate to attest')
  const chain: [Certificate, ...Certificate[]] = [leaf]
  const rest = others.filter(({ der }) => !authorities.some((authority) => authority.der.equals(der)))
  for (let current = leaf; rest.length > 0;) {
    const index = rest.findIndex(({ subject }) => subject.equals(current.issuer))
    const [next] = index === -1 ? [] : rest.splice(index, 1)
    if (next === undefined) break
    chain.push(next)
    current = next
  }
  return chain
}

async function* checkPossession(leaf: Certificate, { random }: X509popDeps): AsyncGenerator<Buffer, void, Buffer> {
  const kind = x509popKindOf(leaf.publicKey)
  if (kind === undefined) throw refused('its key is neither RSA nor ECDSA')
  const challenge = { kind, nonce: random(NONCE_BYTES) }
  const response = decodeX509popResponse(yield encodeX509popChallenge(challenge))
  if (await verifyX509popResponse(challenge, response, leaf.publicKey)) return
  throw refused(`it does not hold the key of its certificate: ${kind.toUpperCase()} signature verify failed`)
}

/** `x509pop://<trust domain>/<key>/<value>` among the URI SANs. */
function uriSanSelectors(leaf: Certificate, trustDomain: TrustDomain): ReadonlyMap<string, string> {
  const prefix = `x509pop://${trustDomain.name}/`
  const selectors = new Map<string, string>()
  for (const uri of leaf.uriSans) {
    if (!uri.startsWith(prefix)) continue
    const path = uri.slice(prefix.length).replace(/\/+$/, '')
    const slash = path.indexOf('/')
    if (slash > 0 && slash < path.length - 1) selectors.set(path.slice(0, slash), path.slice(slash + 1))
  }
  return selectors
}

function factsOf(leaf: Certificate, sans: ReadonlyMap<string, string>, trustDomain: TrustDomain) {
  const plain: Readonly<Record<string, string | undefined>> = {
    PluginName: X509POP,
    Fingerprint: x509popFingerprint(leaf.der),
    SerialNumberHex: serialNumberHex(leaf.serialNumber),
    TrustDomain: trustDomain.name,
    'Subject.CommonName': commonNameOf(leaf.subject),
  }
  return (name: string): string | undefined =>
    name.startsWith('URISanSelectors.') ? sans.get(name.slice('URISanSelectors.'.length)) : plain[name]
}

function selectorsOf(
  [leaf, ...above]: readonly [Certificate, ...Certificate[]],
  sans: ReadonlyMap<string, string>,
): readonly Selector[] {
  const commonName = commonNameOf(leaf.subject)
  const values = [
    ...(commonName === undefined || commonName === '' ? [] : [`subject:cn:${commonName}`]),
    ...new Set(above.map(({ der }) => `ca:fingerprint:${x509popFingerprint(der)}`)),
    `serialnumber:${serialNumberHex(leaf.serialNumber)}`,
    ...[...sans].map(([key, value]) => `san:${key}:${value}`),
  ]
  return values.map((value) => ({ type: X509POP, value }))
}

function serialNumberHex(serialNumber: bigint): string {
  const hex = serialNumber.toString(16)
  return hex.length % 2 === 0 ? hex : `0${hex}`
}

const refused = (why: string): SallyportError =>
  new SallyportError('ATTESTATION_REFUSED', `Cannot attest the node: ${why}`)
