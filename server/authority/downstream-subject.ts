import { Tag } from '../../src/x509/der.ts'
import { DerReader } from '../../src/x509/der-reader.ts'
import { element, oid, sequence, setOf } from '../../src/x509/der-writer.ts'

const ORGANIZATIONAL_UNIT = '2.5.4.11'

/** The subject of a nested server's authority: its parent's, and how far below the root it is, as SPIRE names them. */
export function downstreamSubject(parent: Buffer, depth: number): Buffer {
  const unit = element(Tag.printableString, Buffer.from(`DOWNSTREAM-${depth}`))
  const content = new DerReader(parent).content(Tag.sequence, 'the subject')
  return sequence(content, setOf(sequence(oid(ORGANIZATIONAL_UNIT), unit)))
}
