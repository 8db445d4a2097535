import { createServer } from 'node:http'
import { bearer, callerOf, exactly, JwtSource } from 'sallyport'

// Where TLS ends before this service: who calls is proven by a token for this audience.
const source = await JwtSource.open()
const check = bearer(source, { audience: 'greetings', allow: exactly('spiffe://dev.test/examples/client') })
const server = createServer((request, response) => {
  // Whoever is not let in has been answered already.
  void check(request, response, () => response.end(`hello ${callerOf(request).spiffeId}\n`))
})
server.listen(Number(process.env['PORT']), '127.0.0.1', () => console.log('ready'))
