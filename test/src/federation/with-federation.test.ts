import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { bundleSetOf } from '../../../src/bundle/bundle-set.ts'
import { withFederation } from '../../../src/federation/with-federation.ts'
import type { IdMatcher } from '../../../src/id/matcher.ts'
import { verifyJwtSvid, verifyX509Svid } from '../../../src/svid/verify.ts'
import type { X509Svid } from '../../../src/svid/x509-svid.ts'
import { connectTls } from '../../../src/tls/connect-tls.ts'
import { tlsServer } from '../../../src/tls/tls-server.ts'
import type { TlsSource } from '../../../src/tls/tls-source.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import { printPem } from '../../../src/x509/pem.ts'
import { heldSvid, TestSource } from '../../fakes/test-source.ts'
import { openScene } from './scene.ts'
import { numbered, TestEndpoint } from './test-endpoint.ts'

const anybody: IdMatcher = { wants: 'anybody', matches: () => true }
let home: TestAuthority
let partner: TestAuthority
let web: X509Svid
let caller: X509Svid

beforeAll(async () => {
  ;[home, partner] = await Promise.all([TestAuthority.create(), TestAuthority.create({ trustDomain: 'partner.test' })])
  ;[web, caller] = [await heldSvid(home, '/web'), await heldSvid(partner, '/caller')]
})

/** A relationship with the partner, whose endpoint publishes what the test says. */
async function federate() {
  const endpoint = await TestEndpoint.open(await partner.issue('/bundle-server'), partner.bundleWithJwt())
  onTestFinished(() => endpoint[Symbol.asyncDispose]())
  const scene = await openScene({
    relationships: [
      {
        trustDomain: 'partner.test',
        url: endpoint.url(),
        profile: 'https_spiffe',
        endpointId: 'spiffe://partner.test/bundle-server',
        bundle: printPem([partner.certificate]),
      },
    ],
  })
  return { endpoint, scene, endpoints: scene.endpoints }
}

async function listen(source: TlsSource) {
  const refused: Error[] = []
  const server = createServer(
    tlsServer(source, { allow: anybody, onRefused: (error) => refused.push(error) }),
    (_request, response) => response.end(),
  )
  onTestFinished(() => server.close().closeAllConnections())
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  /** Whether a request of this client is answered, or why not; of the two the client is done first. */
  const meets = async (client: TlsSource): Promise<string> => {
    const before = refused.length
    try {
      const { socket, peer } = await connectTls(client, { to: { host: '127.0.0.1', port }, server: anybody })
      onTestFinished(() => void socket.destroy())
      socket.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
      const [data] = (await Promise.race([once(socket, 'data'), once(socket, 'close')])) as [unknown]
      if (Buffer.isBuffer(data)) return `met ${peer.id}`
      return `refused by the server: ${(refused[before] as { code?: string } | undefined)?.code}`
    } catch (error) {
      return `refused by the client: ${(error as { code?: string }).code}`
    }
  }
  return { meets }
}

describe('a service', () => {
  test('FE-29 FE-16 accepts peers of a foreign trust domain for as long as the relationship lasts', async () => {
    const { endpoints, scene, endpoint } = await federate()
    const { meets } = await listen(withFederation(new TestSource(web, home.bundle()), endpoints))
    const client = new TestSource(caller, partner.bundle(), home.bundle())
    expect(await meets(client)).toBe(`met ${web.spiffeId}`)

    // A rotation at the partner.
    const next = await TestAuthority.create({ trustDomain: 'partner.test' })
    endpoint.answer(numbered(partner.bundle(partner, next), 2))
    const renewed = new TestSource(await heldSvid(next, '/caller'), home.bundle())
    expect(await meets(renewed)).toContain('refused by the server')
    await scene.nextPoll()
    expect(await meets(renewed)).toBe(`met ${web.spiffeId}`)

    await endpoints.end('partner.test')
    expect(await meets(client)).toBe('refused by the server: BUNDLE_UNKNOWN')
    expect(await meets(renewed)).toBe('refused by the server: BUNDLE_UNKNOWN')
    expect(await meets(new TestSource(await heldSvid(home, '/db'), home.bundle()))).toBe(`met ${web.spiffeId}`)
  })

  test('TB-06 TB-21 an empty bundle takes everything back', async () => {
    const { endpoints, endpoint } = await federate()
    const { meets } = await listen(withFederation(new TestSource(web, home.bundle()), endpoints))
    const client = new TestSource(caller, home.bundle())
    expect(await meets(client)).toBe(`met ${web.spiffeId}`)
    endpoint.answer('{"keys":[],"spiffe_sequence":9}')
    await endpoints.refresh('partner.test')
    expect(await meets(client)).toBe('refused by the server: CERTIFICATE_UNTRUSTED')
  })

  test('FE-17 that it trusts a trust domain does not make that one trust it', async () => {
    const { endpoints } = await federate()
    const { meets } = await listen(withFederation(new TestSource(web, home.bundle()), endpoints))
    expect(await meets(new TestSource(caller, partner.bundle()))).toBe('refused by the client: BUNDLE_UNKNOWN')
    const other = await listen(new TestSource(caller, partner.bundle()))
    const calling = withFederation(new TestSource(web, home.bundle()), endpoints)
    expect(await other.meets(calling)).toBe('refused by the server: BUNDLE_UNKNOWN')
  })

  test('FE-08 NT-10 neither trust domain vouches for the other, and no bundle is merged', async () => {
    const { endpoints } = await federate()
    const source = withFederation(new TestSource(web, home.bundle()), endpoints)
    const forged = await partner.issue('/web', { uriSans: ['spiffe://example.org/web'] })
    const alsoForged = await home.issue('/caller', { uriSans: ['spiffe://partner.test/caller'] })
    for (const { chain } of [forged, alsoForged]) {
      const der = chain.map((certificate) => certificate.der)
      await expect(verifyX509Svid(der, source.current().bundles)).rejects.toThrowCode('CERTIFICATE_UNTRUSTED')
    }
    const counts = source
      .current()
      .bundles.values()
      .map(({ trustDomain, x509Authorities }) => `${trustDomain} ${x509Authorities.length}`)
    expect(counts.toSorted((a, b) => a.localeCompare(b))).toEqual(['example.org 1', 'partner.test 1'])
  })
})

describe('withFederation()', () => {
  test('FE-08 of a trust domain that both know, the bundle of the source counts alone', async () => {
    const thief = await TestAuthority.create()
    const foreign = { current: () => bundleSetOf([thief.bundle(), partner.bundle()]) }
    const { bundles } = withFederation(new TestSource(web, home.bundle()), foreign).current()
    expect(bundles.get('example.org')?.x509Authorities.map(({ certificate }) => certificate.der)).toEqual([
      home.certificate.der,
    ])
    expect(bundles.get('partner.test')).toBeDefined()
  })

  test('is the same object until a change of either', async () => {
    const { endpoints } = await federate()
    const own = new TestSource(web, home.bundle())
    const source = withFederation(own, endpoints)
    const first = source.current()
    expect(source.current()).toBe(first)
    await endpoints.refresh('partner.test')
    expect(source.current()).toBe(first)
    await endpoints.set('partner.test', printPem([partner.certificate]))
    const second = source.current()
    expect([second === first, second.bundles === first.bundles]).toEqual([false, false])
    own.use(await heldSvid(home, '/renewed'))
    expect(source.current().svid.spiffeId.path).toBe('/renewed')
    expect(source.current().bundles).toBe(second.bundles)
  })

  test('verifies tokens of both trust domains, each by its own keys', async () => {
    const { endpoints } = await federate()
    const tokens = withFederation({ bundles: bundleSetOf([home.bundleWithJwt()]) }, endpoints)
    for (const authority of [home, partner]) {
      const token = await authority.issueJwt({ audience: 'orders' })
      expect((await tokens.verify(token, 'orders')).spiffeId.trustDomain.name).toBe(authority.trustDomain.name)
      await expect(tokens.verify(token, 'reports')).rejects.toThrowCode('JWT_SVID_AUDIENCE')
    }
    const forged = await partner.issueJwt({ audience: 'orders', claims: { sub: 'spiffe://example.org/web' } })
    await expect(tokens.verify(forged, 'orders')).rejects.toThrowCode('JWT_KEY_UNKNOWN')
    const token = await partner.issueJwt({ audience: 'orders' })
    expect((await verifyJwtSvid(token, 'orders', endpoints.current())).spiffeId).toBeDefined()
    await endpoints.end('partner.test')
    await expect(tokens.verify(token, 'orders')).rejects.toThrowCode('BUNDLE_UNKNOWN')
    expect(tokens.bundles.get('partner.test')).toBeUndefined()
  })

  test('says what is missing', () => {
    const promise = Promise.resolve() as unknown as TlsSource
    expect(() => withFederation(promise, { current: () => bundleSetOf([]) })).toThrow('await')
  })

  test('refuses once the endpoints are closed', async () => {
    const { endpoints } = await federate()
    const source = withFederation(new TestSource(web, home.bundle()), endpoints)
    await endpoints.close()
    expect(() => source.current()).toThrowCode('SOURCE_CLOSED')
  })
})
