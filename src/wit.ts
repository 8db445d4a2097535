/**
 * WIT-SVIDs, the entry `sallyport/wit`: identities that a workload proves with each request, where a bearer token would be good for
 * whoever has seen it. Incubating: built by drafts whose next revision may change what is sent ({@link WIT_REVISION}).
 *
 * @packageDocumentation
 */

// A WIT-SVID of this workload
export { WitSource, type WitSourceOptions, type WitState } from './workload/wit-source.ts'
export type { WitSvidRequest, WitWatchSettings } from './workload/workload-client.ts'
export type { WitBundleSource, WitIdentity, WitIdentitySource } from './wit/wit-identity.ts'
export { parseWitSvid, type WitSvid, type WitSvidWithKey, withPrivateKey } from './wit/wit-svid.ts'

// Asking
export {
  proofTokenHeaders,
  signatureHeaders,
  witFetch,
  type WitFetchOptions,
  type WitProofOptions,
} from './wit/wit-fetch.ts'

// Being asked
export { type BearerInstead, requireWit, type RequireWitOptions, witVerifier } from './wit/require-wit.ts'
export type { ServiceNames } from './wit/target.ts'
export { ReplayCache, type ReplayCacheOptions } from './wit/replay-cache.ts'
export { type WitPeer, witPeerOf } from './wit/wit-peer.ts'
export { verifyWitSvid, type WitSvidErrorCode, type WitVerifyOptions } from './wit/verify-wit-svid.ts'

// What it is built by
export { WIT_REVISION } from './wit/revision.ts'
export type { WitAuthority } from './bundle/bundle.ts'
