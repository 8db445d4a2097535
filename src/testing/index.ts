/**
 * For the tests of services: a Workload API that serves what a test sets, and an authority that issues good SVIDs and bad ones.
 *
 * @packageDocumentation
 */
export { badSvidNames, type BadSvid, issueBad } from './bad-svids.ts'
export { FakeWorkloadApi, type FakeWorkloadApiOptions, type RecordedCall } from './fake-workload-api.ts'
export { type Mischief, mischiefs } from './mischief.ts'
export {
  TestAuthority,
  type TestAuthorityOptions,
  type TestJwtOptions,
  type TestSvid,
  type TestWitOptions,
} from './test-authority.ts'
export type { TestCertificateOptions } from './test-certificate.ts'
export type { HintedSvid, WorkloadState } from './workload-state.ts'
