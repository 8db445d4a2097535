import { encodeAlgorithm } from '../../src/x509/algorithm-identifier.ts'
import { bitString, integer, octetString, sequence, tagged } from '../../src/x509/der-writer.ts'
import { encodeAuthorityKeyId, encodeExtension } from '../../src/x509/encode-extensions.ts'
import { encodeTime } from '../../src/x509/time.ts'
import type { TestAuthority } from '../../src/testing/test-authority.ts'

export interface TestCrlOptions {
  readonly revoked?: readonly bigint[]
  readonly thisUpdate?: Date
  /** `null`: it does not say. */
  readonly nextUpdate?: Date | null
  /** Encoded ones, appended. */
  readonly extensions?: readonly Buffer[]
  readonly entryExtensions?: readonly Buffer[]
  /** Who signs it instead. */
  readonly signedBy?: TestAuthority
  /** Whether it names the key of its issuer. Default: yes. */
  readonly hasKeyId?: boolean
  readonly version?: bigint
}

const HOUR_MS = 3_600_000

/** A revocation list of an authority that says what the test wants, whether that is allowed or not. */
export async function testCrl(authority: TestAuthority, options: TestCrlOptions = {}): Promise<Buffer> {
  const { certificate, now } = authority
  const { revoked = [], extensions = [], entryExtensions = [], signedBy = authority, hasKeyId = true } = options
  const thisUpdate = options.thisUpdate ?? new Date(now.getTime() - HOUR_MS)
  const nextUpdate = options.nextUpdate === undefined ? new Date(now.getTime() + HOUR_MS) : options.nextUpdate
  const entries = revoked.map((serialNumber) =>
    sequence(
      integer(serialNumber),
      encodeTime(thisUpdate),
      ...(entryExtensions.length === 0 ? [] : [sequence(...entryExtensions)]),
    ),
  )
  const all = [
    ...(hasKeyId && certificate.subjectKeyId !== undefined ? [encodeAuthorityKeyId(certificate.subjectKeyId)] : []),
    // cRLNumber, which every list has.
    encodeExtension('2.5.29.20', false, integer(1n)),
    ...extensions,
  ]
  const algorithm = encodeAlgorithm('ES256')
  const tbs = sequence(
    integer(options.version ?? 1n),
    algorithm,
    certificate.subject,
    encodeTime(thisUpdate),
    ...(nextUpdate === null ? [] : [encodeTime(nextUpdate)]),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    tagged(0, sequence(...all)),
  )
  return sequence(tbs, algorithm, bitString(await signedBy.signer.sign('ES256', tbs, 'der')))
}

/** An extension that nobody processes, for lists and their entries. */
export const strangeExtension = (isCritical: boolean): Buffer =>
  encodeExtension('1.3.6.1.4.1.55555.2', isCritical, octetString(Buffer.of(1)))
