import { createServer } from 'node:https'
import express from 'express'
import { memberOf, peerOf, tlsServer, X509Source } from 'sallyport'

const source = await X509Source.open()
const app = express()
app.get('/', (request, response) => {
  response.send(`hello ${peerOf(request).id}\n`)
})
const server = createServer(tlsServer(source, { allow: memberOf('dev.test') }), app)
server.listen(Number(process.env['PORT']), '127.0.0.1', () => console.log('ready'))
