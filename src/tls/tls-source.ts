import type { BundleSet } from '../bundle/bundle-set.ts'
import type { X509Svid } from '../svid/x509-svid.ts'

/** Where TLS takes the own SVID and everybody's bundles from, as of now. */
export interface TlsSource {
  /** Throws when no SVID is held at the moment. */
  current(): { readonly svid: X509Svid; readonly bundles: BundleSet }
}
