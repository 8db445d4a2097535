import { systemClock } from '../src/clock.ts'
import { SallyportError } from '../src/errors.ts'
import { SpiffeId } from '../src/id/spiffe-id.ts'
import { verifyX509SvidNow } from '../src/svid/verify-x509-svid.ts'
import { openChannel } from '../src/wire/channel.ts'
import type { TlsIdentity } from '../src/wire/tls-identity.ts'
import type { Transport } from '../src/wire/client.ts'
import { X509Source, type X509Identity } from '../src/workload/x509-source.ts'
import { decodeCertificate } from '../src/x509/decode-certificate.ts'

/** How long this process may take to get its SVID. */
const IDENTITY_TIMEOUT_MS = 10_000

export interface RemoteServer {
  /** host:port */
  readonly address: string
  /** The Workload API that gives this process its identity. */
  readonly endpoint: string
  /** Which identity to be, where this process has several. */
  readonly as: string | undefined
}

/**
 * Works with a server over mutual TLS, as an administrator who is known by a SPIFFE ID and not by a user of the server's machine.
 * The server must prove to be the one of the own trust domain.
 */
export async function withRemoteServer<T>(
  { address, endpoint, as }: RemoteServer,
  work: (transport: Transport) => Promise<T>,
): Promise<T> {
  const picker = as === undefined ? undefined : { spiffeId: SpiffeId.parse(as).toString() }
  const place = hostAndPort(address)
  await using source = await X509Source.open({ endpoint, picker, timeoutMs: IDENTITY_TIMEOUT_MS })
  const identity = source.current()
  await using transport = openChannel({
    address: place,
    tls: {
      verify: (presented) => checkServer(presented, identity),
      identity: presentedBy(identity),
    },
  })
  return await work(transport)
}

function presentedBy({ svid: { chain, privateKey } }: X509Identity): TlsIdentity {
  // What the Workload API gives to its holder always has a key.
  if (privateKey === undefined) throw new TypeError('an SVID of this process without a key')
  return { chain: chain.map(({ der }) => der), privateKey }
}

function checkServer(presented: readonly Buffer[], { svid, bundles }: X509Identity): void {
  const wanted = SpiffeId.of(svid.spiffeId.trustDomain, '/spire/server')
  const chain = presented.map((der) => decodeCertificate(der))
  const { spiffeId } = verifyX509SvidNow(chain, bundles, systemClock.now()).svid
  if (spiffeId.equals(wanted)) return
  throw new SallyportError('PEER_REFUSED', `Cannot accept ${spiffeId} as ${wanted}`)
}

function hostAndPort(text: string): { readonly host: string; readonly port: number } {
  const [, host, port] = /^(?:\[?([0-9a-fA-F:]+)\]|[A-Za-z0-9.-]+):(\d{1,5})$/.exec(text) ?? []
  const name = host ?? text.slice(0, text.lastIndexOf(':'))
  if (port !== undefined && Number(port) >= 1 && Number(port) <= 65_535) return { host: name, port: Number(port) }
  throw new SallyportError('COMMAND_INVALID', `Cannot connect to "${text.slice(0, 100)}": it is not host:port`)
}
