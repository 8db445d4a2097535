import { oidContent } from './der-writer.ts'

const id = (dotted: string): string => oidContent(dotted).toString('latin1')

/** Extensions that are read and written, by the bytes of their object identifiers. */
export const ExtensionOid = {
  subjectKeyId: id('2.5.29.14'),
  keyUsage: id('2.5.29.15'),
  subjectAlternativeName: id('2.5.29.17'),
  basicConstraints: id('2.5.29.19'),
  nameConstraints: id('2.5.29.30'),
  authorityKeyId: id('2.5.29.35'),
  extendedKeyUsage: id('2.5.29.37'),
} as const

/** Purposes of RFC 5280 §4.2.1.12, dotted. */
export const purposeOids = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const

/** Stands for every purpose. */
export const ANY_PURPOSE_OID = '2.5.29.37.0'
