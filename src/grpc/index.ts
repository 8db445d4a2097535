/**
 * Credentials for `@grpc/grpc-js`, the entry `sallyport/grpc`.
 *
 * @packageDocumentation
 */
export { channelCredentials } from './channel-credentials.ts'
export { serverCredentials } from './server-credentials.ts'
export { withJwt } from './with-jwt.ts'
