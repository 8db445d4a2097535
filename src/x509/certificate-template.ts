import type { KeyObject } from 'node:crypto'
import { SallyportError } from '../errors.ts'
import { SpiffeId } from '../id/spiffe-id.ts'
import type { KeyUsage } from './certificate.ts'
import type { Name } from './name.ts'

/** What a certificate of a trust domain will say: a workload's, an agent's or a server's (leaf), or a signing one. */
export interface CertificateTemplate {
  /** Positive, at most 20 bytes. */
  readonly serialNumber: bigint
  /** A name, or the DER of one that was read and checked, such as that of a request. */
  readonly subject: Name | Buffer
  readonly notBefore: Date
  readonly notAfter: Date
  /** The key, or its SubjectPublicKeyInfo, which is faster. */
  readonly publicKey: KeyObject | Buffer
  readonly uriSan: string
  readonly dnsSans: readonly string[]
  readonly keyUsage: readonly KeyUsage[]
  readonly extendedKeyUsage: readonly ('serverAuth' | 'clientAuth')[]
  readonly isCa: boolean
  /** Only of a signing certificate: how many more may stand between it and a leaf. */
  readonly pathLength?: number
}

/** The key usage of every leaf. */
export const LEAF_KEY_USAGE: readonly KeyUsage[] = ['digitalSignature']
/** The extended key usage of every leaf: an SVID is for both ends of a connection. */
export const LEAF_EXTENDED_KEY_USAGE = ['serverAuth', 'clientAuth'] as const
/** The key usage of every signing certificate. */
export const CA_KEY_USAGE: readonly KeyUsage[] = ['keyCertSign', 'cRLSign']

const SERIAL_NUMBER_LIMIT = 1n << 159n
const DNS_NAME_MAX_CHARACTERS = 255

const leafUsages: readonly KeyUsage[] = ['digitalSignature', 'keyEncipherment', 'keyAgreement']
const caUsages: readonly KeyUsage[] = ['keyCertSign', 'cRLSign']

/**
 * Refuses what no certificate of a trust domain may say (X509-SVID §2 to §4), so that no path through the program signs it.
 *
 * @throws {@link SallyportError} `TEMPLATE_INVALID`
 */
export function checkTemplate(template: CertificateTemplate): void {
  const why = problemOf(template) ?? (template.isCa ? problemOfCa(template) : problemOfLeaf(template))
  if (why !== undefined) {
    throw new SallyportError(
      'TEMPLATE_INVALID',
      `Cannot sign a certificate for ${template.uriSan.slice(0, 200)}: ${why}`,
    )
  }
}

function problemOf({ serialNumber, notBefore, notAfter, dnsSans }: CertificateTemplate): string | undefined {
  if (serialNumber <= 0n || serialNumber >= SERIAL_NUMBER_LIMIT) return 'its serial number is not positive or too long'
  if (!(notBefore.getTime() < notAfter.getTime())) return 'it would end before it starts'
  const bad = dnsSans.find((name) => name.length > DNS_NAME_MAX_CHARACTERS || !/^[A-Za-z0-9*._-]+$/.test(name))
  return bad === undefined ? undefined : `${JSON.stringify(bad.slice(0, 100))} is not a DNS name`
}

function problemOfLeaf({ uriSan, keyUsage, extendedKeyUsage, pathLength }: CertificateTemplate): string | undefined {
  if (SpiffeId.parse(uriSan).path === '') return 'a leaf needs an id with a path'
  if (!keyUsage.includes('digitalSignature')) return 'a leaf needs digitalSignature'
  const extra = keyUsage.find((usage) => !leafUsages.includes(usage))
  if (extra !== undefined) return `a leaf may not have ${extra}`
  const isForBoth = extendedKeyUsage.includes('serverAuth') && extendedKeyUsage.includes('clientAuth')
  if (extendedKeyUsage.length > 0 && !isForBoth) return 'a leaf is for servers and clients both'
  return pathLength === undefined ? undefined : 'a leaf has no path length'
}

function problemOfCa({ uriSan, keyUsage, extendedKeyUsage, pathLength }: CertificateTemplate): string | undefined {
  if (SpiffeId.parse(uriSan).path !== '') return 'a signing certificate has the id of its trust domain, without a path'
  if (!keyUsage.includes('keyCertSign')) return 'a signing certificate needs keyCertSign'
  const extra = keyUsage.find((usage) => !caUsages.includes(usage))
  if (extra !== undefined) return `a signing certificate may not have ${extra}`
  if (extendedKeyUsage.length > 0) return 'a signing certificate has no extended key usage'
  const isLength = pathLength === undefined || (Number.isInteger(pathLength) && pathLength >= 0 && pathLength < 256)
  return isLength ? undefined : 'its path length is not 0 to 255'
}
