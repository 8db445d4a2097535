import fc from 'fast-check'
import type { KeyPair } from '../../src/key/cryptography.ts'
import { threadPoolCryptography as cryptography } from '../../src/key/thread-pool-cryptography.ts'
import type { Certificate, KeyUsage } from '../../src/x509/certificate.ts'
import { decodeCertificate } from '../../src/x509/decode-certificate.ts'
import { NULL, sequence, tagged } from '../../src/x509/der-writer.ts'
import { signCertificate } from '../../src/x509/encode-certificate.ts'
import { encodeExtension } from '../../src/x509/encode-extensions.ts'
import { TestAuthority } from '../../src/testing/test-authority.ts'
import type { TestCertificateOptions } from '../../src/testing/test-certificate.ts'

// Chains with a few things wrong, or only unusual, in places that chance picks.

const HOUR_MS = 3_600_000
/** The moment for which chains are verified. */
export const moment = new Date('2026-06-01T12:00:00Z')
const at = (hours: number): Date => new Date(moment.getTime() + hours * HOUR_MS)
const usage = (...keyUsage: KeyUsage[]): TestCertificateOptions => ({ keyUsage })

/** URI name constraints: whatever is below example.org is permitted. */
const nameConstraints = (isCritical: boolean): Buffer =>
  encodeExtension('2.5.29.30', isCritical, sequence(tagged(0, sequence(Buffer.from('\x86\x0bexample.org', 'latin1')))))

/** What one certificate says differently. */
const twists: Readonly<Record<string, TestCertificateOptions>> = {
  expired: { notBefore: at(-5), notAfter: at(-1) },
  notYetValid: { notBefore: at(1), notAfter: at(5) },
  endsNow: { notAfter: moment },
  beginsNow: { notBefore: moment },
  isCa: { isCa: true },
  isNoCa: { isCa: false },
  withoutBasicConstraints: { basicConstraints: false },
  withoutKeyUsage: { keyUsage: undefined },
  signsCertificates: usage('keyCertSign'),
  signsListsAlone: usage('cRLSign'),
  signsData: usage('digitalSignature'),
  signsEverything: usage('digitalSignature', 'keyCertSign', 'cRLSign'),
  agreesOnKeys: usage('digitalSignature', 'keyEncipherment', 'keyAgreement'),
  pathLength0: { isCa: true, pathLength: 0 },
  pathLength1: { isCa: true, pathLength: 1 },
  unknownCritical: { extensions: [encodeExtension('1.3.6.1.4.1.55555.1', true, NULL)] },
  unknown: { extensions: [encodeExtension('1.3.6.1.4.1.55555.1', false, NULL)] },
  constrainsNames: { extensions: [nameConstraints(true)] },
  serverAlone: { extendedKeyUsage: ['serverAuth'] },
  withoutPurpose: { extendedKeyUsage: undefined },
  dnsNames: { uriSans: ['spiffe://example.org/web'], dnsSans: ['web.internal'] },
  twoUris: { uriSans: ['spiffe://example.org/a', 'spiffe://example.org/b'] },
  namesTrustDomain: { uriSans: ['spiffe://example.org'] },
  namesNobody: { uriSans: [], subject: { commonName: 'nobody' } },
  rsa: { keyType: 'rsa-2048' },
  p384: { keyType: 'ec-p384' },
}

/** What is done to the chain as a whole, after its certificates are made. */
const handlings = [
  'none',
  'appendRoot',
  'dropFirstIntermediate',
  'dropLeaf',
  'swapIntermediates',
  'repeatLeaf',
  'repeatIntermediate',
  'strangerBehind',
  'strangerBetween',
  'damageLeaf',
  'damageIntermediate',
  'anchorAtIntermediate',
  'anchorBeside',
  'otherAnchor',
  'noAnchor',
  'leafWithoutKeyIds',
  'sameNameOtherKey',
] as const

export interface ChainPlan {
  readonly intermediates: number
  /** Place 0 is the root, the last one the leaf. */
  readonly changes: readonly { readonly place: number; readonly twist: string }[]
  readonly handling: (typeof handlings)[number]
}

/** Plans in which something is changed more often than not. */
export const plans: fc.Arbitrary<ChainPlan> = fc.record({
  intermediates: fc.integer({ min: 0, max: 3 }),
  changes: fc.array(fc.record({ place: fc.nat(4), twist: fc.constantFrom(...Object.keys(twists)) }), { maxLength: 2 }),
  handling: fc.oneof(
    { weight: 3, arbitrary: fc.constant('none' as const) },
    { weight: 2, arbitrary: fc.constantFrom(...handlings) },
  ),
})

export interface BuiltChain {
  /** As a peer sends it. */
  readonly chain: readonly Certificate[]
  readonly authorities: readonly Certificate[]
}

const keys = new Map<string, Promise<KeyPair>>()

/** One key for each type and place: making them is most of the work. */
function keyFor(place: string, { keyType = 'ec-p256' }: TestCertificateOptions): Promise<KeyPair> {
  const name = `${place} ${keyType}`
  let key = keys.get(name)
  if (key === undefined) keys.set(name, (key = cryptography.generateKeyPair(keyType)))
  return key
}

/** Makes the certificates of a plan. */
export async function build({ intermediates, changes, handling }: ChainPlan): Promise<BuiltChain> {
  const twisted = (place: number): TestCertificateOptions =>
    Object.assign(
      {},
      ...changes.filter((change) => change.place % (intermediates + 2) === place).map(({ twist }) => twists[twist]),
    )
  const made = async (place: number): Promise<TestCertificateOptions> => {
    const options = twisted(place)
    return { ...options, keyPair: await keyFor(`${place}`, options) }
  }
  const root = await TestAuthority.create({ now: moment, ...(await made(0)) })
  const above: TestAuthority[] = [root]
  for (let place = 1; place <= intermediates; place++) above.push(await above.at(-1)!.intermediate(await made(place)))
  const issuer = above.at(-1)!
  const options = await made(intermediates + 1)
  const leafOptions = { uriSans: ['spiffe://example.org/web'], ...options }
  const leaf =
    handling === 'leafWithoutKeyIds'
      ? await withoutKeyIds(issuer, leafOptions, options.keyPair!)
      : await issuer.sign(leafOptions, options.keyPair!)
  const between = above
    .slice(1)
    .map(({ certificate }) => certificate)
    .toReversed()
  return handled(handling, { leaf, between, root })
}

async function withoutKeyIds(issuer: TestAuthority, options: TestCertificateOptions, keyPair: KeyPair) {
  const fields = issuer.fields(options, keyPair)
  const keyIds = ['551d0e', '551d23']
  const extensions = fields.extensions.filter(
    (one) => !keyIds.some((oid) => one.subarray(2, 10).toString('hex').includes(oid)),
  )
  return decodeCertificate(await signCertificate({ ...fields, extensions }, issuer.signer))
}

interface Parts {
  readonly leaf: Certificate
  /** From the leaf up. */
  readonly between: readonly Certificate[]
  readonly root: TestAuthority
}

async function handled(handling: ChainPlan['handling'], { leaf, between, root }: Parts): Promise<BuiltChain> {
  const anchor = root.certificate
  const whole = { chain: [leaf, ...between], authorities: [anchor] }
  const stranger = async () =>
    (await TestAuthority.create({ now: moment, keyPair: await keyFor('stranger', {}) })).certificate
  switch (handling) {
    case 'appendRoot':
      return { ...whole, chain: [...whole.chain, anchor] }
    case 'dropFirstIntermediate':
      return { ...whole, chain: [leaf, ...between.slice(1)] }
    case 'dropLeaf':
      return between.length === 0 ? whole : { ...whole, chain: between }
    case 'swapIntermediates':
      return { ...whole, chain: [leaf, ...between.toReversed()] }
    case 'repeatLeaf':
      return { ...whole, chain: [leaf, leaf, ...between] }
    case 'repeatIntermediate':
      return { ...whole, chain: [leaf, ...between.flatMap((one) => [one, one])] }
    case 'strangerBehind':
      return { ...whole, chain: [...whole.chain, await stranger()] }
    case 'strangerBetween':
      return { ...whole, chain: [leaf, await stranger(), ...between] }
    case 'damageLeaf':
      return { ...whole, chain: [damaged(leaf), ...between] }
    case 'damageIntermediate':
      return { ...whole, chain: [leaf, ...between.map((one) => damaged(one))] }
    case 'anchorAtIntermediate':
      return { ...whole, authorities: between.length === 0 ? [anchor] : [between[0]!] }
    case 'anchorBeside':
      return { ...whole, authorities: [await stranger(), anchor] }
    case 'otherAnchor':
      return { ...whole, authorities: [await stranger()] }
    case 'noAnchor':
      return { ...whole, authorities: [] }
    case 'sameNameOtherKey': {
      const keyPair = await keyFor('stranger', {})
      const forged = await root.sign({ uriSans: ['spiffe://example.org/web'], keyPair }, keyPair)
      const own = decodeCertificate(
        await signCertificate(root.fields({ uriSans: ['spiffe://example.org/web'] }, keyPair), {
          ...root.signer,
          publicKey: keyPair.publicKey,
          sign: (...given) => cryptography.sign(given[0], keyPair.privateKey, given[1], given[2]),
        }),
      )
      return { ...whole, chain: between.length === 0 ? [own] : [forged, ...between] }
    }
    default:
      return whole
  }
}

/** The same certificate with another signature. */
function damaged({ der }: Certificate): Certificate {
  const bytes = Buffer.from(der)
  bytes[bytes.length - 1]! ^= 1
  return decodeCertificate(bytes)
}
