import { createServer, type TLSSocket } from 'node:tls'
import type { AddressInfo } from 'node:net'
import { memberOf, peerOf, tlsServer, X509Source } from '../../src/index.ts'

// A service that fetches its own SVID and tells each client who that is.

await using source = await X509Source.open()
const server = createServer(tlsServer(source, { allow: memberOf('example.org') }), (socket: TLSSocket) => {
  socket.on('error', () => undefined)
  socket.write(`hello ${peerOf(socket).id.path}`)
})
server.listen(0, '127.0.0.1', () => process.stdout.write(`port ${(server.address() as AddressInfo).port}\n`))
await new Promise((resolve) => process.stdin.once('end', resolve).resume())
server.close()
