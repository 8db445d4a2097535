import type { KeyUsage } from './certificate.ts'
import { checkDer, DerError, Tag } from './der.ts'
import { DerReader } from './der-reader.ts'
import { dottedOid, oidContent } from './der-writer.ts'
import { ExtensionOid, purposeOids } from './extension-oids.ts'
import { keyUsageBits } from './key-usage.ts'

/** What the extensions of a certificate or of a CSR say. */
export interface Extensions {
  uriSans: readonly string[]
  dnsSans: readonly string[]
  isCa: boolean
  pathLength: number | undefined
  basicConstraintsPresent: boolean
  keyUsage: ReadonlySet<KeyUsage> | undefined
  extendedKeyUsage: readonly string[] | undefined
  subjectKeyId: Buffer | undefined
  authorityKeyId: Buffer | undefined
  unknownCriticalExtensions: readonly string[]
}

const KEY_ID_MAX_BYTES = 64

export function noExtensions(): Extensions {
  return {
    uriSans: [],
    dnsSans: [],
    isCa: false,
    pathLength: undefined,
    basicConstraintsPresent: false,
    keyUsage: undefined,
    extendedKeyUsage: undefined,
    subjectKeyId: undefined,
    authorityKeyId: undefined,
    unknownCriticalExtensions: [],
  }
}

/** Reads `Extensions ::= SEQUENCE SIZE (1..MAX) OF Extension`; the same extension twice is refused. */
export function readExtensions(list: DerReader): Extensions {
  const extensions = noExtensions()
  const seen = new Set<string>()
  if (list.atEnd) throw new DerError('the list of extensions is empty')
  while (!list.atEnd) {
    const extension = list.enter(Tag.sequence, 'an extension')
    const oid = extension.oid('an extension')
    if (seen.has(oid)) throw new DerError('an extension is there twice')
    seen.add(oid)
    const isCritical = extension.isNext(Tag.boolean) && readCritical(extension)
    const value = extension.content(Tag.octetString, 'the value of an extension')
    extension.finish('an extension')
    readExtension(oid, isCritical, value, extensions)
  }
  return extensions
}

function readCritical(extension: DerReader): true {
  // DER leaves a default out, so a flag that is written is set.
  if (!extension.boolean('the flag of an extension')) throw new DerError('an extension writes its default')
  return true
}

function readExtension(oid: string, isCritical: boolean, value: Buffer, extensions: Extensions): void {
  const read = readers[oid]
  if (read !== undefined) {
    checkDer(value)
    return read(new DerReader(value), extensions)
  }
  // Name constraints must be enforced whatever their flag says; who does not, refuses the path.
  if (isCritical || oid === ExtensionOid.nameConstraints) {
    const dotted = dottedOid(Buffer.from(oid, 'latin1'))
    extensions.unknownCriticalExtensions = [...extensions.unknownCriticalExtensions, dotted]
  }
}

const readers: Readonly<Record<string, (value: DerReader, extensions: Extensions) => void>> = {
  [ExtensionOid.subjectKeyId]: (value, extensions) => {
    extensions.subjectKeyId = checkKeyId(value.content(Tag.octetString, 'the subject key id'))
  },
  [ExtensionOid.authorityKeyId]: (value, extensions) => {
    extensions.authorityKeyId = keyIdOf(value)
  },
  [ExtensionOid.keyUsage]: (value, extensions) => {
    extensions.keyUsage = readKeyUsage(value.bits('the key usage'))
  },
  [ExtensionOid.subjectAlternativeName]: readAlternativeNames,
  [ExtensionOid.basicConstraints]: readBasicConstraints,
  [ExtensionOid.extendedKeyUsage]: (value, extensions) => {
    const list = value.enter(Tag.sequence, 'the extended key usage')
    const purposes: string[] = []
    while (!list.atEnd) purposes.push(dottedPurpose(list.oid('a purpose')))
    if (purposes.length === 0) throw new DerError('the extended key usage is empty')
    extensions.extendedKeyUsage = purposes
  },
}

const knownPurposes = new Map(
  Object.values(purposeOids).map((dotted) => [oidContent(dotted).toString('latin1'), dotted]),
)

function dottedPurpose(oid: string): string {
  return knownPurposes.get(oid) ?? dottedOid(Buffer.from(oid, 'latin1'))
}

function checkKeyId(keyId: Buffer): Buffer {
  if (keyId.length === 0 || keyId.length > KEY_ID_MAX_BYTES) throw new DerError('a key id has a strange length')
  return keyId
}

const KEY_ID_TAG = 0x80

/** The key id in the authority key id of a certificate or a revocation list. */
export function readAuthorityKeyId(value: Buffer): Buffer | undefined {
  checkDer(value)
  return keyIdOf(new DerReader(value))
}

function keyIdOf(value: DerReader): Buffer | undefined {
  const fields = value.enter(Tag.sequence, 'the authority key id')
  const keyId = fields.isNext(KEY_ID_TAG) ? checkKeyId(fields.content(KEY_ID_TAG, 'the authority key id')) : undefined
  if (fields.isNext(0xa1)) fields.element(0xa1, 'the issuer in the authority key id')
  if (fields.isNext(0x82)) fields.element(0x82, 'the serial number in the authority key id')
  fields.finish('the authority key id')
  return keyId
}

function readKeyUsage(bits: Buffer): ReadonlySet<KeyUsage> {
  const unused = bits[0]!
  const bytes = bits.subarray(1)
  const last = bytes.at(-1)
  // Named bits end with the last one that is set; a usage without any bit is forbidden by RFC 5280.
  if (last === undefined || ((last >> unused) & 1) === 0) throw new DerError('the key usage is empty or not minimal')
  const isSet = (index: number): boolean => ((bytes[index >> 3] ?? 0) & (0x80 >> (index & 7))) !== 0
  return new Set(keyUsageBits.filter((_usage, index) => isSet(index)))
}

function readBasicConstraints(value: DerReader, extensions: Extensions): void {
  const fields = value.enter(Tag.sequence, 'the basic constraints')
  extensions.basicConstraintsPresent = true
  if (fields.isNext(Tag.boolean)) {
    extensions.isCa = fields.boolean('the CA flag')
    if (!extensions.isCa) throw new DerError('the basic constraints write their default')
  }
  if (!fields.atEnd) {
    if (!extensions.isCa) throw new DerError('a path length without the CA flag')
    extensions.pathLength = fields.smallInteger('the path length')
  }
  fields.finish('the basic constraints')
}

const URI_TAG = 0x86
const DNS_TAG = 0x82
/** otherName, rfc822Name, x400Address, directoryName, ediPartyName, iPAddress, registeredID: read over. */
const otherNameTags: readonly number[] = [0xa0, 0x81, 0xa3, 0xa4, 0xa5, 0x87, 0x88]

function readAlternativeNames(value: DerReader, extensions: Extensions): void {
  const list = value.enter(Tag.sequence, 'the alternative names')
  const uris: string[] = []
  const dnsNames: string[] = []
  if (list.atEnd) throw new DerError('the alternative names are empty')
  while (!list.atEnd) {
    const tag = list.nextTag!
    if (tag === URI_TAG) uris.push(asciiText(list.content(tag, 'a URI')))
    else if (tag === DNS_TAG) dnsNames.push(asciiText(list.content(tag, 'a DNS name')))
    else if (otherNameTags.includes(tag)) list.element(tag, 'an alternative name')
    else throw new DerError('an alternative name has an unknown form')
  }
  extensions.uriSans = uris
  extensions.dnsSans = dnsNames
}

function asciiText(content: Buffer): string {
  const text = content.toString('latin1')
  // A zero byte or a byte beyond ASCII has made readers see another name than the signer did.
  if (!/^[\x20-\x7e]+$/.test(text)) throw new DerError('an alternative name is not printable ASCII')
  return text
}
