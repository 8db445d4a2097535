import type { IncomingMessage, ServerResponse } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'

/** The header by which a refused caller learns the name of the decision; the reason stays here (§3.7). */
export const DECISION_HEADER = 'x-sallyport-decision'
const FORBIDDEN = 403
/** PERMISSION_DENIED */
const GRPC_DENIED = 7

/** Answers a request of HTTP/1.1 and nothing else; its body is not waited for. */
export function refuseHttp1(request: IncomingMessage, response: ServerResponse, decisionId: string): void {
  const expectsContinue = request.headers.expect !== undefined
  response.writeHead(FORBIDDEN, {
    [DECISION_HEADER]: decisionId,
    'Content-Length': 0,
    // Whoever was told not to send its body may send the next request in its place.
    ...(expectsContinue ? { Connection: 'close' } : {}),
  })
  response.end()
  request.resume()
}

/** The same on a connection that is no longer HTTP's: an upgrade, or CONNECT. */
export function refuseRaw(socket: Duplex, decisionId: string): void {
  socket.end(
    `HTTP/1.1 403 Forbidden\r\n${DECISION_HEADER}: ${decisionId}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
  )
}

/** Answers a stream of HTTP/2: gRPC by its own status. */
export function refuseHttp2(stream: ServerHttp2Stream, isGrpc: boolean, decisionId: string): void {
  // The client may have gone in the meantime.
  if (stream.destroyed || stream.closed) return
  const status = isGrpc
    ? {
        ':status': 200,
        'content-type': 'application/grpc',
        'grpc-status': GRPC_DENIED,
        'grpc-message': `refused: decision ${decisionId}`,
      }
    : { ':status': FORBIDDEN }
  stream.on('error', () => {})
  stream.respond({ ...status, [DECISION_HEADER]: decisionId }, { endStream: true })
  stream.resume()
}
