import { createServer } from 'node:https'
import { exactly, peerOf, tlsServer, X509Source } from 'sallyport'

const source = await X509Source.open()
const options = tlsServer(source, { allow: exactly('spiffe://dev.test/examples/client') })
const server = createServer(options, (request, response) => {
  response.end(`hello ${peerOf(request).id}\n`)
})
server.listen(Number(process.env['PORT']), '127.0.0.1', () => console.log('ready'))
