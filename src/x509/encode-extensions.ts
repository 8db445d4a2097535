import type { KeyUsage } from './certificate.ts'
import { Tag } from './der.ts'
import { element, integer, namedBits, octetString, oid, sequence, TRUE } from './der-writer.ts'
import { ExtensionOid, purposeOids } from './extension-oids.ts'
import { keyUsageBits } from './key-usage.ts'

/** A purpose by its short name. */
export type Purpose = keyof typeof purposeOids

const oidElements = new Map(
  Object.values(ExtensionOid).map((content) => [content, element(Tag.oid, Buffer.from(content, 'latin1'))]),
)

/** One extension: its object identifier as {@link ExtensionOid} has it, or dotted. */
export function encodeExtension(id: string, isCritical: boolean, value: Buffer): Buffer {
  const identifier = oidElements.get(id) ?? oid(id)
  return isCritical ? sequence(identifier, TRUE, octetString(value)) : sequence(identifier, octetString(value))
}

/** Encodes each distinct list once: a server writes the same few into every certificate. */
function once<T extends string>(encode: (list: readonly T[]) => Buffer): (list: readonly T[]) => Buffer {
  const encoded = new Map<string, Buffer>()
  return (list) => {
    const key = list.join()
    let bytes = encoded.get(key)
    if (bytes === undefined) {
      bytes = encode(list)
      encoded.set(key, bytes)
    }
    return bytes
  }
}

/** Key usage, critical. */
export const encodeKeyUsage: (usages: readonly KeyUsage[]) => Buffer = once<KeyUsage>((usages) =>
  encodeExtension(ExtensionOid.keyUsage, true, namedBits(usages.map((usage) => keyUsageBits.indexOf(usage)))),
)

/** Extended key usage, not critical. */
export const encodeExtendedKeyUsage: (purposes: readonly Purpose[]) => Buffer = once<Purpose>((purposes) =>
  encodeExtension(
    ExtensionOid.extendedKeyUsage,
    false,
    sequence(...purposes.map((purpose) => oid(purposeOids[purpose]))),
  ),
)

const LEAF_BASIC_CONSTRAINTS = encodeExtension(ExtensionOid.basicConstraints, true, sequence())

/** Basic constraints, critical; of a leaf an empty sequence, because DER leaves out a CA flag that is false. */
export function encodeBasicConstraints(isCa: boolean, pathLength?: number): Buffer {
  if (!isCa) return LEAF_BASIC_CONSTRAINTS
  const length = pathLength === undefined ? [] : [integer(BigInt(pathLength))]
  return encodeExtension(ExtensionOid.basicConstraints, true, sequence(TRUE, ...length))
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
