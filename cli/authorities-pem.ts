import type { Bundle } from '../src/bundle/bundle.ts'
import { printPem } from '../src/x509/pem.ts'

/** The certificates that a bundle trusts; of no bundle, none. */
export const authoritiesPem = (bundle: Bundle | undefined): string =>
  printPem((bundle?.x509Authorities ?? []).map(({ certificate }) => certificate))
