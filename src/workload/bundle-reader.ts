import { bundleOf, type Bundle } from '../bundle/bundle.ts'
import type { TrustDomain } from '../id/trust-domain.ts'
import type { Crl } from '../x509/crl.ts'
import { decodeCertificates } from '../x509/decode-certificate.ts'
import { decodeCrl } from '../x509/decode-crl.ts'

const NO_CRLS: readonly Crl[] = []

/** Reads the X.509 bundles of one message after another; what has not changed stays the same object. */
export class BundleReader {
  #last: ReadonlyMap<string, Bundle> = new Map()
  #next = new Map<string, Bundle>()
  #crlBytes: readonly Buffer[] = []
  #crls = NO_CRLS

  /**
   * Begins a message, with the revocation lists for all of its bundles.
   *
   * @throws {@link SallyportError} `CRL_INVALID`
   */
  begin(crls: readonly Buffer[]): void {
    this.#last = this.#next
    this.#next = new Map()
    const areSame =
      crls.length === this.#crlBytes.length && crls.every((bytes, index) => bytes.equals(this.#crlBytes[index]!))
    if (areSame) return
    this.#crls = crls.length === 0 ? NO_CRLS : crls.map((bytes) => decodeCrl(bytes))
    this.#crlBytes = crls.map((bytes) => Buffer.from(bytes))
  }

  /**
   * Authorities that follow each other in DER; no bytes are no authorities, so that nothing of that trust domain is trusted.
   *
   * @throws {@link SallyportError} `CERTIFICATE_INVALID`
   */
  read(trustDomain: TrustDomain, der: Buffer): Bundle {
    const known = this.#next.get(trustDomain.name) ?? this.#last.get(trustDomain.name)
    const isSame = known !== undefined && (known.crls ?? NO_CRLS) === this.#crls && isOf(known, der)
    const bundle = isSame ? known : this.#decode(trustDomain, der)
    this.#next.set(trustDomain.name, bundle)
    return bundle
  }

  #decode(trustDomain: TrustDomain, der: Buffer): Bundle {
    const x509Authorities = decodeCertificates(der).map((certificate) => ({ certificate, tainted: false }))
    return bundleOf({ trustDomain, x509Authorities, crls: this.#crls })
  }
}

/** Whether the bytes are exactly the certificates of this bundle. */
function isOf({ x509Authorities }: Bundle, der: Buffer): boolean {
  let at = 0
  for (const { certificate } of x509Authorities) {
    const end = at + certificate.der.length
    if (!der.subarray(at, end).equals(certificate.der)) return false
    at = end
  }
  return at === der.length
}
