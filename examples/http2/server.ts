import { createSecureServer, type ServerHttp2Stream } from 'node:http2'
import { exactly, peerOf, tlsServer, X509Source } from 'sallyport'

const source = await X509Source.open()
const server = createSecureServer(tlsServer(source, { allow: exactly('spiffe://dev.test/examples/client') }))
server.on('stream', (stream: ServerHttp2Stream) => {
  stream.respond({ ':status': 200, 'content-type': 'text/plain' })
  stream.end(`hello ${peerOf(stream).id}\n`)
})
server.listen(Number(process.env['PORT']), '127.0.0.1', () => console.log('ready'))
