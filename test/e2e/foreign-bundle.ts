import { bundleOf } from '../../src/bundle/bundle.ts'
import { printBundleDocument } from '../../src/bundle/bundle-document.ts'
import { threadPoolCryptography as cryptography } from '../../src/key/thread-pool-cryptography.ts'
import { TestAuthority } from '../../src/testing/test-authority.ts'

/** The bundle document of a trust domain that is not there: certificates and JWT keys, or one kind alone. */
export async function foreignBundle(trustDomain: string, kinds: 'both' | 'x509' | 'jwt'): Promise<string> {
  const authority = await TestAuthority.create({ trustDomain })
  const { publicKey } = await cryptography.generateKeyPair('ec-p256')
  const bundle = bundleOf({
    trustDomain: authority.trustDomain,
    x509Authorities: kinds === 'jwt' ? [] : [{ certificate: authority.certificate, tainted: false }],
    jwtAuthorities: kinds === 'x509' ? [] : [{ keyId: 'their-key', publicKey, expiresAt: undefined, tainted: false }],
  })
  return printBundleDocument(bundle)
}
