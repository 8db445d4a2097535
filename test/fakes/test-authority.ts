export { TestAuthority, type TestAuthorityOptions, type TestSvid } from '../../src/testing/test-authority.ts'
export type { TestCertificateOptions } from '../../src/testing/test-certificate.ts'
