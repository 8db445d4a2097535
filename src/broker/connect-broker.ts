import type { Clock } from '../clock.ts'
import { SallyportError } from '../errors.ts'
import type { IdMatcher } from '../id/matcher.ts'
import { verifyX509SvidNow } from '../svid/verify-x509-svid.ts'
import type { TlsSource } from '../tls/tls-source.ts'
import { openChannel } from '../wire/channel.ts'
import type { Transport } from '../wire/client.ts'
import { checkSocketPath, type EndpointKind, printEndpoint, workloadEndpoint } from '../workload/endpoint.ts'
import { decodeCertificate } from '../x509/decode-certificate.ts'
import type { BrokerIdentity } from './broker-identity.ts'

const BROKER_ENDPOINT: EndpointKind = {
  api: 'broker endpoint',
  variable: 'SPIFFE_BROKER_SOCKET',
  allowsNames: true,
}

export interface BrokerConnecting {
  /** Default: the environment's `SPIFFE_BROKER_SOCKET`. */
  readonly address: string | undefined
  readonly identity: BrokerIdentity
  readonly source: TlsSource
  readonly server: IdMatcher
  readonly clock: Clock
}

/**
 * A channel to the broker endpoint over mutual TLS. It connects when it is first used, again after the connection was lost, and anew
 * for the next call once the SVID is another one.
 *
 * @throws {@link SallyportError} `ENDPOINT_INVALID`, `SOCKET_PATH_UNSAFE`
 * @see SPIFFE_Broker_Endpoint.md (BE-06, BE-09 to BE-12)
 */
export async function connectBroker(options: BrokerConnecting): Promise<{ transport: Transport; address: string }> {
  const { identity, source, server, clock } = options
  const endpoint = workloadEndpoint(options.address, process.env, BROKER_ENDPOINT)
  const address = printEndpoint(endpoint)
  const beforeConnect = async (): Promise<void> => {
    if ('unix' in endpoint) await checkSocketPath(endpoint.unix)
  }
  await beforeConnect()
  const verify = (presented: readonly Buffer[]): void => checkServer(presented, { source, server, clock, address })
  const tls = { verify, identity: () => identity.current() }
  return { transport: openChannel({ address: endpoint, tls, clock, beforeConnect }), address }
}

/** @throws {@link SallyportError} `BROKER_ENDPOINT_UNTRUSTED`: not the code of the cause, which would read as if the server had refused us */
export function checkServer(
  presented: readonly Buffer[],
  { source, server, clock, address }: Pick<BrokerConnecting, 'source' | 'server' | 'clock'> & { address: string },
): void {
  const untrusted = (why: string, cause?: unknown): SallyportError =>
    new SallyportError('BROKER_ENDPOINT_UNTRUSTED', `Cannot trust the server at ${address}: ${why}`, { cause })
  let spiffeId
  try {
    const chain = presented.map((der) => decodeCertificate(der))
    spiffeId = verifyX509SvidNow(chain, source.current().bundles, clock.now()).svid.spiffeId
  } catch (cause) {
    throw untrusted((cause as Error).message, cause)
  }
  if (!server.matches(spiffeId)) throw untrusted(`it is ${spiffeId}, and wanted is ${server.wants}`)
}
