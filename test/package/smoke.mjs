// What a service does with the SDK, in plain JavaScript for whatever runtime is tried: a source, a server, a client, a token.
import { once } from 'node:events'
import { createServer as createPlainServer } from 'node:http'
import { createServer, request } from 'node:https'
import {
  bundleSetOf,
  connectTls,
  exactly,
  httpsAgent,
  isSallyportError,
  JwtSource,
  memberOf,
  peerOf,
  protect,
  tlsServer,
  verifyJwtSvid,
  verifyX509Svid,
  X509Source,
} from 'sallyport'
import { BundleEndpoints } from 'sallyport/federation'
import { FakeWorkloadApi, issueBad, TestAuthority } from 'sallyport/testing'
import { requireWit, witFetch, witPeerOf, WitSource } from 'sallyport/wit'

const done = []
const authority = await TestAuthority.create({ trustDomain: 'example.org' })
const agent = await FakeWorkloadApi.open(
  { svids: [await authority.issue('/web')], authorities: [authority] },
  { witSvids: true },
)
process.env.SPIFFE_ENDPOINT_SOCKET = agent.endpoint

const source = await X509Source.open({ timeoutMs: 10_000 })
done.push(`source ${source.current().svid.spiffeId}`)

const rules = { allow: memberOf('example.org') }
const server = createServer(tlsServer(source, rules), (request, response) =>
  response.end(`hello ${peerOf(request).id}`),
)
try {
  // Runtimes other than Node are told explicitly.
  if (process.argv.includes('protect')) protect(server, source, rules)
} catch (error) {
  if (error.code !== 'SERVER_NOT_PROTECTED') throw error
}
server.listen(0, '127.0.0.1')
await once(server, 'listening')
const { port } = server.address()

/** The text of an answer, or the code of the refusal. */
const ask = (clientAgent) =>
  new Promise((resolve) => {
    const fail = (error) =>
      resolve(isSallyportError(error) ? error.code : (error.cause?.code ?? error.code ?? error.message))
    request({ host: '127.0.0.1', port, agent: clientAgent }, async (response) => {
      let text = ''
      for await (const chunk of response.setEncoding('utf8')) text += chunk
      resolve(text)
    })
      .on('error', fail)
      .end()
  })

const friend = httpsAgent(source, { server: exactly('spiffe://example.org/web') })
done.push(`https ${await ask(friend)}`)
const stranger = httpsAgent(source, { server: exactly('spiffe://example.org/other') })
done.push(`wrong server ${await ask(stranger)}`)

// A rotation: the next connection presents the new identity.
agent.set({ svids: [await authority.issue('/api')], authorities: [authority] })
for await (const { svid } of source.watch()) if (svid?.spiffeId.path === '/api') break
const next = await connectTls(source, { to: { host: '127.0.0.1', port }, server: memberOf('example.org') }).catch(
  (error) => error,
)
done.push(`rotated ${next.peer?.id ?? next}`)
next.socket?.destroy()

const jwt = await JwtSource.open({ timeoutMs: 10_000 })
const { token } = await jwt.fetch('orders')
const checked = await verifyJwtSvid(token, 'orders', bundleSetOf([authority.bundleWithJwt()]))
done.push(`token ${checked.spiffeId}`)

// A proof with each request; what keeps it secret elsewhere, loopback does here.
const wit = await WitSource.open({ timeoutMs: 10_000 })
const plain = createPlainServer()
plain.listen(0, '127.0.0.1')
await once(plain, 'listening')
const origin = `http://127.0.0.1:${plain.address().port}`
const check = requireWit(wit, { origins: [origin], allow: memberOf('example.org'), signWith: wit })
plain.on('request', (request, response) => {
  void check(request, response, () => response.end(`hello ${witPeerOf(request).spiffeId}`))
})
const byToken = await witFetch(wit, { allowPlainHttp: true })(`${origin}/a`)
done.push(`proof ${await byToken.text()}`)
const demanding = { proof: 'signature', signResponse: true, server: memberOf('example.org'), allowPlainHttp: true }
const signed = await witFetch(wit, demanding)(`${origin}/a`, { method: 'POST', body: 'hello' })
done.push(`signed ${await signed.text()} by ${witPeerOf(signed).spiffeId}`)

const bad = await issueBad(authority, 'expired')
const chain = bad.chain.map(({ der }) => der)
const refusal = await verifyX509Svid(chain, source.current().bundles).catch((error) => error)
done.push(`expired ${refusal.code}`)

// A bundle endpoint of somebody else, which is who it must be or not.
const partner = await TestAuthority.create({ trustDomain: 'partner.test' })
const pem = ({ certificate }) =>
  `-----BEGIN CERTIFICATE-----\n${certificate.der.toString('base64')}\n-----END CERTIFICATE-----\n`
const bundleServer = await partner.issue('/bundle-server')
const key = { ...partner.keyPair.publicKey.export({ format: 'jwk' }), use: 'x509-svid' }
const bundle = JSON.stringify({ keys: [{ ...key, x5c: [partner.certificate.der.toString('base64')] }] })
const endpoint = createServer(
  { cert: pem(bundleServer), key: bundleServer.keyPair.privateKey.export({ type: 'pkcs8', format: 'pem' }) },
  (request, response) => response.end(bundle),
)
endpoint.listen(0, '127.0.0.1')
await once(endpoint, 'listening')
const url = `https://127.0.0.1:${endpoint.address().port}/`
for (const endpointId of ['spiffe://partner.test/bundle-server', 'spiffe://partner.test/other']) {
  const endpoints = await BundleEndpoints.open({
    ownTrustDomain: 'example.org',
    relationships: [{ trustDomain: 'partner.test', url, profile: 'https_spiffe', endpointId, bundle: pem(partner) }],
  })
  const { chain } = await partner.issue('/caller')
  const known = chain.map(({ der }) => der)
  const verified = await verifyX509Svid(known, endpoints.current()).catch((error) => error)
  done.push(`federated ${verified.spiffeId ?? `${verified.code} ${endpoints.health[0].error.code}`}`)
  await endpoints.close()
}
endpoint.close()

agent.withdraw()
for await (const { svid } of source.watch()) if (svid === undefined) break
try {
  source.current()
} catch (error) {
  done.push(`withdrawn ${error.code}`)
}

friend.destroy()
stranger.destroy()
server.close()
server.closeAllConnections()
await jwt.close()
await wit.close()
plain.close()
plain.closeAllConnections()
await source.close()
await agent[Symbol.asyncDispose]()
console.log(done.join('\n'))
