import { bundleSetOf } from '../../src/bundle/bundle-set.ts'
import type { Bundle } from '../../src/bundle/bundle.ts'
import { SallyportError } from '../../src/errors.ts'
import { checkX509SvidLeaf } from '../../src/svid/x509-svid-leaf.ts'
import type { X509Svid } from '../../src/svid/x509-svid.ts'
import type { TlsSource } from '../../src/tls/tls-source.ts'
import type { TestAuthority } from '../../src/testing/test-authority.ts'
import type { TestCertificateOptions } from '../../src/testing/test-certificate.ts'

/** A source that holds what the test says, until it says otherwise. */
export class TestSource implements TlsSource {
  #current: ReturnType<TlsSource['current']> | undefined

  constructor(svid: X509Svid, ...bundles: readonly Bundle[]) {
    this.use(svid, ...bundles)
  }

  current(): ReturnType<TlsSource['current']> {
    if (this.#current !== undefined) return this.#current
    throw new SallyportError('IDENTITY_NOT_HELD', 'Cannot be anybody: withdrawn by the test')
  }

  /** Without bundles: those of before. */
  use(svid: X509Svid, ...bundles: readonly Bundle[]): void {
    this.#current = { svid, bundles: bundles.length === 0 ? this.current().bundles : bundleSetOf(bundles) }
  }

  withdraw(): void {
    this.#current = undefined
  }
}

/** A good SVID with its key, as a source holds it. */
export async function heldSvid(
  authority: TestAuthority,
  path: string,
  options: TestCertificateOptions = {},
): Promise<X509Svid> {
  const { chain, keyPair } = await authority.issue(path, options)
  return { spiffeId: checkX509SvidLeaf(chain[0]), chain, privateKey: keyPair.privateKey, hint: '' }
}
