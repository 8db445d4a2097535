// A service on a real agent, in plain JavaScript for whatever runtime is tried: it talks to itself before and after a renewal.
import { once } from 'node:events'
import { createSecureServer } from 'node:http2'
import { request } from 'node:https'
import { text } from 'node:stream/consumers'
import { connectHttp2, exactly, httpsAgent, JwtSource, memberOf, peerOf, tlsServer, X509Source } from 'sallyport'

const done = []
const source = await X509Source.open({ timeoutMs: 20_000 })
const { svid } = source.current()
const isSelf = { server: exactly(svid.spiffeId) }
done.push(`source ${svid.spiffeId}`)

const server = createSecureServer(
  { ...tlsServer(source, { allow: memberOf('example.org') }), allowHTTP1: true },
  (asked, answer) => answer.end(`hello ${peerOf(asked).id}`),
)
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address()

async function overHttp1() {
  const agent = httpsAgent(source, isSelf)
  const [answer] = await once(request({ host: '127.0.0.1', port, agent }).end(), 'response')
  return text(answer).finally(() => agent.destroy())
}

async function overHttp2() {
  const session = await connectHttp2(source, `https://127.0.0.1:${port}`, isSelf)
  return text(session.request({ ':path': '/' })).finally(() => session.destroy())
}

const talk = async () => done.push(`https ${await overHttp1()}`, `http2 ${await overHttp2()}`)
await talk()
for await (const state of source.watch()) if (state.svid !== undefined && state.svid !== svid) break
await talk()

const jwt = await JwtSource.open({ timeoutMs: 20_000 })
const { token } = await jwt.fetch('orders')
done.push(`token ${(await jwt.verify(token, 'orders')).spiffeId}`)

server.close()
await jwt.close()
await source.close()
console.log(done.join('\n'))
