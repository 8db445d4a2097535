import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import * as grpc from '@grpc/grpc-js'
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify, type JSONWebKeySet } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { decodeCertificates } from '../../src/x509/decode-certificate.ts'
import { parseBundleDocument } from '../../src/bundle/bundle-document.ts'
import { TrustDomain } from '../../src/id/trust-domain.ts'
import { foreignBundle } from './foreign-bundle.ts'
import { House } from './house.ts'
import { run } from './processes.ts'
import { StockClient, workloadClient } from './stock-clients.ts'

// What clients written by others require of an agent (quirk N is item N of the list of client quirks), asked of a real one.

interface X509Svid {
  readonly spiffeId: string
  readonly x509Svid: Buffer
  readonly x509SvidKey: Buffer
  readonly bundle: Buffer
  readonly hint: string
}

interface X509Response {
  readonly svids: readonly X509Svid[]
  readonly crl: readonly Buffer[]
  readonly federatedBundles: Readonly<Record<string, Buffer>>
}

interface JwtResponse {
  readonly svids: readonly { readonly spiffeId: string; readonly svid: string; readonly hint: string }[]
}

let house: House

beforeAll(async () => {
  house = await House.open()
  writeFileSync(house.path('partner.json'), await foreignBundle('partner.test', 'both'))
  writeFileSync(house.path('tokens.json'), await foreignBundle('tokens.test', 'jwt'))
  await house.json('bundle', 'set', 'partner.test', '--file', house.path('partner.json'))
  await house.json('bundle', 'set', 'tokens.test', '--file', house.path('tokens.json'))
  const federates = ['--federates-with', 'partner.test', '--federates-with', 'tokens.test']
  await house.register('/quirks/a', '--hint', 'first', '--dns', 'a.internal', ...federates)
  await house.register('/quirks/b', '--hint', 'first')
})

afterAll(async () => house?.[Symbol.asyncDispose]())

async function x509(): Promise<X509Response> {
  using client = workloadClient(house)
  using stream = client.stream<X509Response>('FetchX509SVID')
  return await stream.until(({ svids }) => svids.length === 2)
}

async function jwt(...audience: readonly string[]): Promise<JwtResponse> {
  using client = workloadClient(house)
  return await client.call<JwtResponse>('FetchJWTSVID', { audience })
}

describe('fetch x509 --write', () => {
  test('IO-31 gives each other trust domain a file of its own, and takes away that of a former partner', async () => {
    const folder = house.path('written')
    mkdirSync(`${folder}/federated`, { recursive: true })
    writeFileSync(`${folder}/federated/former.test.pem`, 'what they had')
    await house.json('fetch', 'x509', '--write', folder)
    // tokens.test has no certificates.
    expect(readdirSync(`${folder}/federated`)).toEqual(['partner.test.pem'])
    const [own, theirs] = ['bundle.pem', 'federated/partner.test.pem'].map((name) => readFileSync(`${folder}/${name}`))
    expect(new X509Certificate(own ?? '').subjectAltName).toBe('URI:spiffe://example.org')
    expect(new X509Certificate(theirs ?? '').subjectAltName).toBe('URI:spiffe://partner.test')
  })

  test('writes the key into no file that somebody else has put there', async () => {
    const folder = house.path('prepared')
    mkdirSync(folder)
    for (const name of ['key.pem', 'key.pem.new']) writeFileSync(`${folder}/${name}`, '', { mode: 0o644 })
    await house.json('fetch', 'x509', '--write', folder)
    expect(statSync(`${folder}/key.pem`).mode & 0o777).toBe(0o600)
    expect(readFileSync(`${folder}/key.pem.new`, 'utf8')).toBe('')
  })
})

describe('a workload', () => {
  test.for(['localhost', '/run/x/agent.sock', 'tmp%2Fx%2Fagent.sock', 'envoy_cluster', 'tmp/x.sock'])(
    'IO-19 NT-01 quirk 1: is served whatever its :authority is, such as %s',
    async (authority) => {
      using client = workloadClient(house, { 'grpc.default_authority': authority })
      using stream = client.stream<X509Response>('FetchX509SVID')
      expect((await stream.next()).svids).not.toEqual([])
    },
  )

  test('quirk 7: health is answered beside the Workload API, on paths without a package', async () => {
    using client = new StockClient('grpc.health.v1.Health', house.endpoint)
    expect(await client.call('Check')).toEqual({ status: 'SERVING' })
  })

  test('quirk 8: the socket is found under every form of its address', async () => {
    const { agentSocket } = house
    for (const address of [`unix:${agentSocket}`, `unix://${agentSocket}`, agentSocket]) {
      const { code, stderr } = await house.cli('--agent-socket', address, 'fetch', 'x509')
      expect(stderr).toBe('')
      expect(code).toBe(0)
    }
  })

  test('WA-07 quirk 15: the first message is complete and comes at once', async () => {
    await x509()
    const startedMs = systemClock.monotonicMs()
    expect((await x509()).svids).toHaveLength(2)
    expect(systemClock.monotonicMs() - startedMs).toBeLessThan(1000)
  })

  test('quirk 17: every SVID has all of its fields', async () => {
    for (const { spiffeId, x509Svid, x509SvidKey, bundle } of (await x509()).svids) {
      expect([spiffeId.length, x509Svid.length, x509SvidKey.length, bundle.length]).not.toContain(0)
    }
  })

  test('quirk 18: the id is the URI of the certificate, byte for byte', async () => {
    for (const { spiffeId, x509Svid } of (await x509()).svids) {
      expect(new X509Certificate(x509Svid).subjectAltName?.split(', ')).toContain(`URI:${spiffeId}`)
    }
  })

  test('quirk 19 20: foreign bundles go by their SPIFFE ID, and one without certificates is left out', async () => {
    const { federatedBundles } = await x509()
    expect(Object.keys(federatedBundles)).toEqual(['spiffe://partner.test'])
    expect(decodeCertificates(federatedBundles['spiffe://partner.test']!)).toHaveLength(1)
    using client = workloadClient(house)
    using bundles = client.stream<{ bundles: Record<string, Buffer> }>('FetchX509Bundles')
    expect(Object.keys((await bundles.next()).bundles).toSorted()).toEqual([
      'spiffe://example.org',
      'spiffe://partner.test',
    ])
  })

  test('IO-02 quirk 21 23: leaf, chain and key are what every client can read', async () => {
    for (const { x509Svid, x509SvidKey, bundle } of (await x509()).svids) {
      const chain = decodeCertificates(x509Svid)
      expect(chain).toHaveLength(1)
      const leaf = new X509Certificate(x509Svid)
      expect(leaf.ca).toBe(false)
      expect(leaf.publicKey.asymmetricKeyDetails?.namedCurve).toBe('prime256v1')
      const { subjectKeyId, authorityKeyId } = chain[0]!
      expect(subjectKeyId).toHaveLength(20)
      expect(authorityKeyId).toEqual(decodeCertificates(bundle)[0]!.subjectKeyId)
      expect(x509SvidKey.subarray(0, 2)).toEqual(Buffer.from([0x30, 0x81]))
      const key = createPrivateKey({ key: x509SvidKey, format: 'der', type: 'pkcs8' })
      expect(createPublicKey(key).equals(leaf.publicKey)).toBe(true)
    }
  })

  test('IO-10 the chain verifies with openssl’s defaults against the bundle beside it', async () => {
    await house.json('fetch', 'x509', '--write', house.path('svid'))
    const { code, stderr } = await run('openssl', [
      'verify',
      '-CAfile',
      house.path('svid/bundle.pem'),
      house.path('svid/svid.pem'),
    ])
    expect(stderr).toBe('')
    expect(code).toBe(0)
  })

  test('WA-15 quirk 24: a hint is given once, to the older entry', async () => {
    expect((await x509()).svids.map(({ hint }) => hint)).toEqual(['first', ''])
  })

  test('quirk 16 26: a change sends everything again, in the same order', async () => {
    using client = workloadClient(house)
    using stream = client.stream<X509Response>('FetchX509SVID')
    const before = await stream.until(({ svids }) => svids.length === 2)
    await house.register('/quirks/c')
    const after = await stream.until(({ svids }) => svids.length === 3)
    expect(after.svids.slice(0, 2).map(({ spiffeId }) => spiffeId)).toEqual(before.svids.map((svid) => svid.spiffeId))
    expect(Object.keys(after.federatedBundles)).toEqual(Object.keys(before.federatedBundles))
    const entries = await house.json<{ id: string; spiffeId: string }[]>('entry', 'list')
    const added = entries.find(({ spiffeId }) => spiffeId.endsWith('/quirks/c'))
    await house.json('entry', 'delete', added!.id)
    const last = await stream.until(({ svids }) => svids.length === 2)
    expect(last.svids.map(({ spiffeId }) => spiffeId)).toEqual(before.svids.map(({ spiffeId }) => spiffeId))
  })

  test('quirk 25: no revocation lists are sent', async () => {
    expect((await x509()).crl).toEqual([])
  })

  test('IO-21 IO-24 IO-25 quirk 27 28: tokens have the header and the claims that every client takes', async () => {
    for (const { spiffeId, svid } of (await jwt('orders', 'billing')).svids) {
      const { alg, kid, typ, ...more } = decodeProtectedHeader(svid)
      expect({ alg, typ, more }).toEqual({ alg: 'ES256', typ: 'JWT', more: {} })
      expect(kid).toMatch(/./)
      const { sub, aud, iat, exp } = decodeJwt(svid)
      expect({ sub, aud }).toEqual({ sub: spiffeId, aud: ['orders', 'billing'] })
      const payload = Buffer.from(svid.split('.')[1]!, 'base64url').toString()
      expect(payload).toMatch(/"iat":\d+[,}]/)
      expect(payload).toMatch(/"exp":\d+[,}]/)
      expect(payload).not.toContain('"nbf"')
      expect(iat).toBeLessThanOrEqual(Math.floor(systemClock.now().getTime() / 1000))
      expect(exp! - iat!).toBe(300)
    }
  })

  test('IO-28 quirk 29: the JWT bundle holds JWT keys alone, and an independent library verifies with it', async () => {
    using client = workloadClient(house)
    using stream = client.stream<{ bundles: Record<string, Buffer> }>('FetchJWTBundles')
    const { bundles } = await stream.next()
    expect(Object.keys(bundles).toSorted()).toEqual([
      'spiffe://example.org',
      'spiffe://partner.test',
      'spiffe://tokens.test',
    ])
    for (const document of Object.values(bundles)) {
      const { keys } = JSON.parse(document.toString()) as JSONWebKeySet
      for (const key of keys) {
        expect(Object.keys(key).toSorted()).toEqual(['crv', 'kid', 'kty', 'x', 'y'])
        expect(key.kty).toBe('EC')
      }
    }
    const jwks = JSON.parse(bundles['spiffe://example.org']!.toString()) as JSONWebKeySet
    for (const { svid } of (await jwt('orders')).svids) {
      await jwtVerify(svid, createLocalJWKSet(jwks), { audience: 'orders' })
    }
    // The document that is for other trust domains says what each key is for.
    const { stdout } = await house.cli('bundle', 'show', '--format', 'spiffe')
    const uses = (JSON.parse(stdout) as JSONWebKeySet).keys.map(({ use }) => use)
    expect(new Set(uses)).toEqual(new Set(['x509-svid', 'jwt-svid']))
    expect(parseBundleDocument(stdout, TrustDomain.parse('example.org')).x509Authorities).toHaveLength(1)
  })

  test('GP-03 quirk 31: a validated token comes with sub, aud and the exact exp', async () => {
    const [first] = (await jwt('orders')).svids
    using client = workloadClient(house)
    const answer = await client.call<{ spiffeId: string; claims: { fields: Record<string, unknown> } }>(
      'ValidateJWTSVID',
      { audience: 'orders', svid: first!.svid },
    )
    expect(answer.spiffeId).toBe(first!.spiffeId)
    expect(answer.claims.fields).toMatchObject({
      sub: { stringValue: first!.spiffeId },
      aud: { listValue: { values: [{ stringValue: 'orders' }] } },
      exp: { numberValue: decodeJwt(first!.svid).exp },
    })
  })

  test('quirk 32: one token for each identity, with its own subject', async () => {
    const { svids } = await jwt('orders')
    expect(svids).toHaveLength(2)
    for (const { spiffeId, svid } of svids) expect(decodeJwt(svid).sub).toBe(spiffeId)
  })

  test('WE-24 WA-01 WA-04 quirk 12: methods of the two profiles work, others are unimplemented, none without its header', async () => {
    using client = workloadClient(house)
    using wit = client.stream('FetchWITSVID')
    using bundles = client.stream('FetchWITBundles')
    expect((await wit.ended()).code).toBe(grpc.status.UNIMPLEMENTED)
    expect((await bundles.ended()).code).toBe(grpc.status.UNIMPLEMENTED)
    using bare = new StockClient('SpiffeWorkloadAPI', house.endpoint)
    for (const method of ['FetchX509SVID', 'FetchX509Bundles', 'FetchJWTBundles', 'FetchWITSVID', 'FetchWITBundles']) {
      using stream = bare.stream(method)
      expect((await stream.ended()).code).toBe(grpc.status.INVALID_ARGUMENT)
    }
    for (const method of ['FetchJWTSVID', 'ValidateJWTSVID']) {
      await expect(bare.call(method)).rejects.toMatchObject({ code: grpc.status.INVALID_ARGUMENT })
    }
  })

  test('WE-15 nothing that a workload says about itself changes who it is', async () => {
    const claims = { 'workload.spiffe.io': 'true', 'unix-uid': '12345', 'x-spiffe-id': 'spiffe://example.org/admin' }
    using liar = new StockClient('SpiffeWorkloadAPI', house.endpoint, grpc.credentials.createInsecure(), claims)
    using stream = liar.stream<X509Response>('FetchX509SVID')
    const { svids } = await stream.next()
    expect(svids.map(({ spiffeId }) => spiffeId)).toEqual((await x509()).svids.map(({ spiffeId }) => spiffeId))
  })
})
