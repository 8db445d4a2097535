import fastify from 'fastify'
import { memberOf, peerOf, tlsServer, X509Source } from 'sallyport'

const source = await X509Source.open()
const app = fastify({ https: tlsServer(source, { allow: memberOf('dev.test') }) })
app.get('/', (request) => `hello ${peerOf(request.raw).id}\n`)
await app.listen({ port: Number(process.env['PORT']), host: '127.0.0.1' })
console.log('ready')
