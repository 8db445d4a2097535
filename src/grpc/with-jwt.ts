import { type ChannelCredentials, credentials, Metadata, status } from '@grpc/grpc-js'
import { SallyportError } from '../errors.ts'
import { checkTokenOrder, type TokenSource } from '../http/token-source.ts'

/**
 * Channel credentials that add a JWT-SVID for an audience to each call, as `authorization: Bearer …` (JWT-SVID §5.1). A call for which
 * there is no token fails: with UNAVAILABLE where another attempt may help, else with UNAUTHENTICATED.
 *
 * It takes the credentials of the channel, because grpc-js would send those of a call over plain connections too.
 *
 * @param audience what the receiver calls itself; one for each receiver, because each could use the token at the others
 * @throws TypeError for a channel that is not encrypted
 * @example
 * ```ts
 * const tokens = await JwtSource.open()
 * const channel = channelCredentials(source, { server: exactly('spiffe://example.org/orders') })
 * const client = new OrdersClient('orders:8443', withJwt(channel, tokens, 'orders'))
 * ```
 */
export function withJwt(
  channel: ChannelCredentials,
  source: TokenSource,
  audience: readonly string[] | string,
): ChannelCredentials {
  checkTokenOrder(source, audience)
  if (!channel._isSecure()) throw new TypeError('A token is sent over an encrypted channel only')
  return channel.compose(
    credentials.createFromMetadataGenerator((_context, done) => {
      source.fetch(audience).then(
        ({ token }) => done(null, bearerMetadata(token)),
        (error: unknown) => done(failureOf(error)),
      )
    }),
  )
}

function bearerMetadata(token: string): Metadata {
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${token}`)
  return metadata
}

/** grpc-js takes the status of the call from the number in `code`. */
function failureOf(error: unknown): Error {
  const isAway = error instanceof SallyportError && error.row.grpc === 'UNAVAILABLE'
  const code = isAway ? status.UNAVAILABLE : status.UNAUTHENTICATED
  return Object.assign(new Error(error instanceof Error ? error.message : String(error), { cause: error }), { code })
}
