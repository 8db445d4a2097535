import { SallyportError } from '../errors.ts'
import type { Certificate } from './certificate.ts'
import { CERTIFICATES_MAX, decodeCertificate } from './decode-certificate.ts'

/** The longest PEM text that is read. */
export const PEM_MAX_CHARACTERS = 8 * 1024 * 1024

const BEGIN = '-----BEGIN CERTIFICATE-----'
const END = '-----END CERTIFICATE-----'
const LINE_CHARACTERS = 64

/**
 * Reads the certificates of a PEM text in their order; whatever stands between them (comments, keys) is passed over.
 *
 * @throws {@link SallyportError} `CERTIFICATE_INVALID`, also when there is none
 */
export function readPemCertificates(text: string): Certificate[] {
  if (text.length > PEM_MAX_CHARACTERS) throw invalid(`longer than ${PEM_MAX_CHARACTERS} characters`)
  const certificates: Certificate[] = []
  for (let begin = text.indexOf(BEGIN); begin !== -1;) {
    const start = begin + BEGIN.length
    const end = text.indexOf(END, start)
    if (end === -1) throw invalid(`certificate ${certificates.length + 1} has no end`)
    if (certificates.length === CERTIFICATES_MAX) throw invalid(`more than ${CERTIFICATES_MAX} certificates`)
    certificates.push(decodeCertificate(bytesOf(text.slice(start, end), certificates.length + 1)))
    begin = text.indexOf(BEGIN, end)
  }
  if (certificates.length === 0) throw invalid('there is no certificate in it')
  return certificates
}

function bytesOf(body: string, number: number): Buffer {
  const base64 = body.replaceAll(/[\r\n\t ]/g, '')
  // Buffer skips over what is not base64, so two texts could mean one certificate.
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.length === 0 || bytes.toString('base64') !== base64) throw invalid(`certificate ${number} is not base64`)
  return bytes
}

/** The certificates as PEM, in their order. */
export function printPem(certificates: readonly Pick<Certificate, 'der'>[]): string {
  return certificates.map(({ der }) => `${BEGIN}\n${linesOf(der.toString('base64'))}\n${END}\n`).join('')
}

function linesOf(base64: string): string {
  return (base64.match(new RegExp(`.{1,${LINE_CHARACTERS}}`, 'g')) ?? []).join('\n')
}

function invalid(why: string): SallyportError {
  return new SallyportError('CERTIFICATE_INVALID', `Cannot read PEM: ${why}`)
}
