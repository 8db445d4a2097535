import { SallyportError } from '../errors.ts'
import { DerError, Tag } from './der.ts'
import { DerReader } from './der-reader.ts'
import { element, oid, oidContent, sequence, setOf } from './der-writer.ts'

/** The parts of a subject that Sallyport writes. An empty object is the empty name. */
export interface Name {
  readonly country?: string
  readonly organization?: string
  readonly commonName?: string
  /** The attribute, such as a CA's serial number in text; not the certificate's. */
  readonly serialNumber?: string
}

const attributes = [
  ['country', '2.5.4.6', 2],
  ['organization', '2.5.4.10', 64],
  ['commonName', '2.5.4.3', 64],
  ['serialNumber', '2.5.4.5', 64],
] as const satisfies readonly (readonly [keyof Name, string, number])[]

/** The longest common name that a certificate may hold (RFC 5280, ub-common-name). */
export const COMMON_NAME_MAX_CHARACTERS = 64

const EMPTY_NAME = sequence()
const COMMON_NAME_OID = oidContent('2.5.4.3').toString('latin1')

/**
 * The DER of a name.
 *
 * @throws {@link SallyportError} `TEMPLATE_INVALID` when a part is empty or too long
 */
export function encodeName(name: Name): Buffer {
  const parts: Buffer[] = []
  for (const [key, attribute, maxCharacters] of attributes) {
    const value = name[key]
    if (value === undefined) continue
    if (value === '' || value.length > maxCharacters) {
      throw new SallyportError('TEMPLATE_INVALID', `Cannot encode a name: ${key} is not 1-${maxCharacters} characters`)
    }
    parts.push(setOf(sequence(oid(attribute), encodeText(value, key))))
  }
  return parts.length === 0 ? EMPTY_NAME : sequence(...parts)
}

function encodeText(value: string, key: keyof Name): Buffer {
  const isPrintable = /^[A-Za-z0-9 '()+,./:=?-]*$/.test(value)
  if (!isPrintable && key === 'country') {
    throw new SallyportError('TEMPLATE_INVALID', 'Cannot encode a name: country is not two letters')
  }
  return element(isPrintable ? Tag.printableString : Tag.utf8String, Buffer.from(value))
}

/** UTF8String, NumericString, PrintableString, TeletexString, IA5String: what OpenSSL reads too. */
const valueTags: readonly number[] = [Tag.utf8String, 0x12, Tag.printableString, 0x14, Tag.ia5String]

/** Refuses bytes that are not a name: a sequence of non-empty sets of attributes. */
export function checkName(name: Buffer, field: string): void {
  const sets = new DerReader(name).enter(Tag.sequence, field)
  while (!sets.atEnd) {
    const set = sets.enter(Tag.set, field)
    if (set.atEnd) throw new DerError(`${field} has an empty part`)
    while (!set.atEnd) {
      const attribute = set.enter(Tag.sequence, field)
      attribute.oid(field)
      const tag = attribute.nextTag
      if (tag === undefined) throw new DerError(`${field} has an attribute without value`)
      if (!valueTags.includes(tag)) throw new DerError(`${field} has an attribute that is not a text`)
      attribute.element(tag, field)
      attribute.finish(field)
    }
  }
}

/** The last common name of a name that was read, where it has one in UTF-8 or ASCII. */
export function commonNameOf(name: Buffer): string | undefined {
  let found: string | undefined
  const sets = new DerReader(name).enter(Tag.sequence, 'the name')
  while (!sets.atEnd) {
    const set = sets.enter(Tag.set, 'the name')
    while (!set.atEnd) {
      const attribute = set.enter(Tag.sequence, 'the name')
      if (attribute.oid('the name') !== COMMON_NAME_OID) continue
      const tag = attribute.nextTag
      if (tag !== Tag.utf8String && tag !== Tag.printableString && tag !== Tag.ia5String) continue
      found = attribute.content(tag, 'the name').toString('utf8')
    }
  }
  return found
}

/** Whether a name has no parts. */
export function isEmptyName(name: Buffer): boolean {
  return name.equals(EMPTY_NAME)
}
