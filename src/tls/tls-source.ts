import type { BundleSet } from '../bundle/bundle-set.ts'
import type { X509Svid } from '../svid/x509-svid.ts'

/** Where TLS takes the own SVID and everybody's bundles from, as of now. */
export interface TlsSource {
  /** Throws when no SVID is held at the moment. */
  current(): { readonly svid: X509Svid; readonly bundles: BundleSet }
}

/** For callers without types: a promise is not a source yet. */
export function checkSource(source: TlsSource): void {
  if (typeof (source as Partial<TlsSource> | undefined)?.current !== 'function')
    throw new TypeError(
      'The first argument is no source of SVIDs: is the `await` of `await X509Source.open()` missing?',
    )
}
