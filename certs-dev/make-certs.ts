import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type KeyType, keyTypes } from '../src/key/key-type.ts'
import type { KeyPair, Signer } from '../src/key/cryptography.ts'
import { signerOf } from '../src/key/signer.ts'
import { threadPoolCryptography as cryptography } from '../src/key/thread-pool-cryptography.ts'
import type { Certificate } from '../src/x509/certificate.ts'
import { CA_KEY_USAGE } from '../src/x509/certificate-template.ts'
import { decodeCertificate } from '../src/x509/decode-certificate.ts'
import { signCertificate } from '../src/x509/encode-certificate.ts'
import {
  encodeAlternativeNames,
  encodeAuthorityKeyId,
  encodeBasicConstraints,
  encodeExtendedKeyUsage,
  encodeKeyUsage,
  encodeSubjectKeyId,
} from '../src/x509/encode-extensions.ts'
import { encodeName, type Name } from '../src/x509/name.ts'
import { printPem } from '../src/x509/pem.ts'
import { spkiOf, subjectKeyIdOf } from '../src/x509/spki.ts'

/** What is made: a root, one intermediate, and one certificate with its key for each node. */
export interface DevCertificatesOrder {
  readonly nodes: readonly string[]
  readonly keyType: KeyType
  readonly notBefore: Date
  readonly notAfter: Date
  /** Puts `x509pop://<trust domain>/<key>/<value>` names into the nodes' certificates, such as `rack/7`. */
  readonly trustDomain?: string
  readonly labels?: readonly string[]
}

export interface CertifiedKey {
  readonly certificate: Certificate
  readonly keyPair: KeyPair
}

export interface DevCertificates {
  readonly root: CertifiedKey
  readonly intermediate: CertifiedKey
  readonly nodes: ReadonlyMap<string, CertifiedKey>
}

interface Parent {
  readonly signer: Signer
  readonly certificate: Certificate
}

/** Makes the certificates of a company's nodes as `x509pop` meets them: no SVIDs, from an authority that is no trust domain's. */
export async function makeDevCertificates(order: DevCertificatesOrder): Promise<DevCertificates> {
  const root = await makeAuthority('Development root', 1, order)
  const intermediate = await makeAuthority('Development intermediate', 0, order, parentOf(root))
  const nodes = new Map<string, CertifiedKey>()
  for (const name of order.nodes) nodes.set(name, await makeNode(name, order, parentOf(intermediate)))
  return { root, intermediate, nodes }
}

function parentOf({ certificate, keyPair }: CertifiedKey): Parent {
  return { certificate, signer: signerOf(keyPair, cryptography) }
}

async function makeAuthority(
  commonName: string,
  pathLength: number,
  order: DevCertificatesOrder,
  parent?: Parent,
): Promise<CertifiedKey> {
  const extensions = [encodeKeyUsage(CA_KEY_USAGE), encodeBasicConstraints(true, pathLength)]
  return certify({ organization: 'Sallyport development', commonName }, extensions, order, parent)
}

async function makeNode(name: string, order: DevCertificatesOrder, parent: Parent): Promise<CertifiedKey> {
  const uris =
    order.trustDomain === undefined ? [] : (order.labels ?? []).map((l) => `x509pop://${order.trustDomain}/${l}`)
  const extensions = [
    encodeKeyUsage(['digitalSignature']),
    encodeExtendedKeyUsage(['clientAuth']),
    encodeBasicConstraints(false),
    encodeAlternativeNames({ uris, dnsNames: [name] }, false),
  ]
  return certify({ organization: 'Sallyport development', commonName: name }, extensions, order, parent)
}

async function certify(
  name: Name,
  extensions: readonly Buffer[],
  { keyType, notBefore, notAfter }: DevCertificatesOrder,
  parent?: Parent,
): Promise<CertifiedKey> {
  const keyPair = await cryptography.generateKeyPair(keyType)
  const spki = spkiOf(keyPair.publicKey)
  const keyId = subjectKeyIdOf(spki)
  const subject = encodeName(name)
  const issuerKeyId = parent?.certificate.subjectKeyId ?? keyId
  const fields = {
    serialNumber: BigInt(`0x40${randomBytes(15).toString('hex')}`),
    issuer: parent?.certificate.subject ?? subject,
    notBefore,
    notAfter,
    subject,
    spki,
    extensions: [...extensions, encodeSubjectKeyId(keyId), encodeAuthorityKeyId(issuerKeyId)],
  }
  const der = await signCertificate(fields, parent?.signer ?? signerOf(keyPair, cryptography))
  return { certificate: decodeCertificate(der), keyPair }
}

/** Writes them into a folder: certificates readable by all, keys by the owner alone. Overwrites nothing. */
export function writeDevCertificates(
  folder: string,
  { root, intermediate, nodes }: DevCertificates,
): readonly string[] {
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const files: [name: string, text: string, mode: number][] = [
    ['root.pem', printPem([root.certificate]), 0o644],
    ['root.key', printKey(root), 0o600],
    ['intermediate.pem', printPem([intermediate.certificate]), 0o644],
    ['intermediate.key', printKey(intermediate), 0o600],
  ]
  for (const [name, node] of nodes) {
    files.push([`${name}.pem`, printPem([node.certificate]), 0o644], [`${name}.key`, printKey(node), 0o600])
  }
  const there = files.find(([name]) => existsSync(join(folder, name)))
  if (there !== undefined)
    throw new Error(`${join(folder, there[0])} exists already; take another folder or delete it first`)
  for (const [name, text, mode] of files) writeFileSync(join(folder, name), text, { mode, flag: 'wx' })
  return files.map(([name]) => name)
}

function printKey({ keyPair }: CertifiedKey): string {
  return keyPair.privateKey.export({ type: 'pkcs8', format: 'pem' })
}

const DAY_MS = 86_400_000
const usage = `node certs-dev/make-certs.ts --dir DIR [--node NAME]... [--days 30] [--key-type ${keyTypes.join('|')}]
    [--trust-domain NAME --label KEY/VALUE...]

Makes a development root, an intermediate and a certificate for each node (default: node-1 and node-2), for x509pop.
`

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      dir: { type: 'string' },
      node: { type: 'string', multiple: true, default: ['node-1', 'node-2'] },
      days: { type: 'string', default: '30' },
      'key-type': { type: 'string', default: 'ec-p256' },
      'trust-domain': { type: 'string' },
      label: { type: 'string', multiple: true, default: [] },
      help: { type: 'boolean', default: false },
    },
  })
  const { dir, node: nodes, label: labels, 'trust-domain': trustDomain } = values
  const keyType = keyTypes.find((type) => type === values['key-type'])
  const days = Number(values.days)
  const areNames = nodes.every((name) => /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/.test(name))
  if (values.help || dir === undefined || keyType === undefined || !areNames || !(days > 0 && days < 36_500)) {
    process.stderr.write(usage)
    process.exitCode = values.help ? 0 : 2
    return
  }
  const notBefore = new Date(Date.now() - 60_000)
  const notAfter = new Date(notBefore.getTime() + days * DAY_MS)
  const order = { nodes, keyType, notBefore, notAfter, labels, ...(trustDomain === undefined ? {} : { trustDomain }) }
  const written = writeDevCertificates(dir, await makeDevCertificates(order))
  process.stdout.write(`${written.map((name) => join(dir, name)).join('\n')}\n`)
}

if (import.meta.main) {
  try {
    await main()
  } catch (error) {
    process.stderr.write(`Cannot make certificates: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = 1
  }
}
