import type { KeyUsage } from './certificate.ts'
import { Tag } from './der.ts'
import { element, integer, namedBits, octetString, oid, sequence, TRUE } from './der-writer.ts'
import { ANY_PURPOSE_OID, ExtensionOid, purposeOids } from './extension-oids.ts'
import { keyUsageBits } from './key-usage.ts'

/** A purpose by its short name, or any other by its dotted object identifier. */
export type Purpose = keyof typeof purposeOids

const oidElements = new Map(
  Object.values(ExtensionOid).map((content) => [content, element(Tag.oid, Buffer.from(content, 'latin1'))]),
)

/** One extension: its object identifier as {@link ExtensionOid} has it, or dotted. */
export function encodeExtension(id: string, isCritical: boolean, value: Buffer): Buffer {
  const identifier = oidElements.get(id) ?? oid(id)
  return isCritical ? sequence(identifier, TRUE, octetString(value)) : sequence(identifier, octetString(value))
}

const encodedKeyUsages = new Map<string, Buffer>()

/** Key usage, critical. */
export function encodeKeyUsage(usages: readonly KeyUsage[]): Buffer {
  const key = usages.join()
  let encoded = encodedKeyUsages.get(key)
  if (encoded === undefined) {
    const bits = namedBits(usages.map((usage) => keyUsageBits.indexOf(usage)))
    encoded = encodeExtension(ExtensionOid.keyUsage, true, bits)
    encodedKeyUsages.set(key, encoded)
  }
  return encoded
}

export function encodeExtendedKeyUsage(purposes: readonly (Purpose | typeof ANY_PURPOSE_OID)[]): Buffer {
  const oids = purposes.map((purpose) => oid(purpose === ANY_PURPOSE_OID ? purpose : purposeOids[purpose]))
  return encodeExtension(ExtensionOid.extendedKeyUsage, false, sequence(...oids))
}

/** Basic constraints, critical; of a leaf an empty sequence, because DER leaves out a CA flag that is false. */
export function encodeBasicConstraints(isCa: boolean, pathLength?: number): Buffer {
  const length = isCa && pathLength !== undefined ? [integer(BigInt(pathLength))] : []
  return encodeExtension(ExtensionOid.basicConstraints, true, isCa ? sequence(TRUE, ...length) : sequence())
}

export function encodeSubjectKeyId(keyId: Buffer): Buffer {
  return encodeExtension(ExtensionOid.subjectKeyId, false, octetString(keyId))
}

export function encodeAuthorityKeyId(keyId: Buffer): Buffer {
  return encodeExtension(ExtensionOid.authorityKeyId, false, sequence(element(0x80, keyId)))
}

/** Alternative names; critical where the subject is empty, because then nothing else names the certificate. */
export function encodeAlternativeNames(
  names: { readonly uris: readonly string[]; readonly dnsNames: readonly string[] },
  isCritical: boolean,
): Buffer {
  const uris = names.uris.map((uri) => element(0x86, Buffer.from(uri, 'latin1')))
  const dnsNames = names.dnsNames.map((name) => element(0x82, Buffer.from(name, 'latin1')))
  return encodeExtension(ExtensionOid.subjectAlternativeName, isCritical, sequence(...dnsNames, ...uris))
}
