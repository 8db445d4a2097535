import { once } from 'node:events'
import { connect, createSecureContext } from 'node:tls'

/*
 * The other ends of many TLS connections, in a process of their own: two processes may have as many files open as that takes. Opens
 * what each message asks for, and says when it is open and when all of it has closed.
 */
export interface CrowdOrder {
  readonly port: number
  readonly count: number
  readonly key: string
  readonly cert: string
  /** Default: http/1.1 */
  readonly alpn?: string
}

export type CrowdReport = 'open' | { readonly firstClosedMs: number; readonly lastClosedMs: number }

/** Handshakes at a time. */
const AT_ONCE = 32

const now = (): number => performance.timeOrigin + performance.now()

process.on('message', (order) => void serve(order as CrowdOrder))

async function serve({ port, count, key, cert, alpn = 'http/1.1' }: CrowdOrder): Promise<void> {
  const secureContext = createSecureContext({ key, cert, minVersion: 'TLSv1.3' })
  const options = { host: '127.0.0.1', port, secureContext, rejectUnauthorized: false, ALPNProtocols: [alpn] }
  let [firstClosedMs, closed] = [NaN, 0]
  const onClose = (): void => {
    if (closed++ === 0) firstClosedMs = now()
    if (closed === count) process.send?.({ firstClosedMs, lastClosedMs: now() } satisfies CrowdReport)
  }
  let left = count
  const worker = async (): Promise<void> => {
    while (left-- > 0) {
      const socket = connect(options)
      socket.on('error', () => {})
      socket.once('close', onClose)
      await once(socket, 'secureConnect')
      socket.resume()
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  process.send?.('open' satisfies CrowdReport)
}
