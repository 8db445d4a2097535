import { X509Certificate } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { printBundleDocument } from '../../../src/bundle/bundle-document.ts'
import { bundleOf } from '../../../src/bundle/bundle.ts'
import { bundleSetOf } from '../../../src/bundle/bundle-set.ts'
import { BundleEndpoints } from '../../../src/federation/bundle-endpoints.ts'
import type { BundleStore } from '../../../src/federation/bundle-store.ts'
import type { RelationshipOptions } from '../../../src/federation/relationship.ts'
import { TestAuthority, type TestSvid } from '../../../src/testing/test-authority.ts'
import { printPem } from '../../../src/x509/pem.ts'
import { until } from '../../fakes/until.ts'
import { PollClock } from './poll-clock.ts'
import { openScene, type Scene } from './scene.ts'
import { numbered, serve, type TestEndpoint, webCertificate } from './test-endpoint.ts'

let webCa: TestAuthority
let webServer: TestSvid
let partner: TestAuthority
let nextPartner: TestAuthority
let bundleServer: TestSvid
let other: TestAuthority

beforeAll(async () => {
  ;[webCa, partner, nextPartner, other] = await Promise.all([
    TestAuthority.create({ trustDomain: 'web.test' }),
    TestAuthority.create({ trustDomain: 'partner.test' }),
    TestAuthority.create({ trustDomain: 'partner.test' }),
    TestAuthority.create({ trustDomain: 'other.test' }),
  ])
  webServer = await webCertificate(webCa)
  bundleServer = await partner.issue('/bundle-server', { notAfter: new Date(Date.now() + 48 * 3_600_000) })
})

const pemOf = ({ certificate }: TestAuthority): string => printPem([certificate])
const endpointId = 'spiffe://partner.test/bundle-server'

const web = (endpoint: TestEndpoint, trustDomain = 'partner.test'): RelationshipOptions => ({
  trustDomain,
  url: endpoint.url(),
  profile: 'https_web',
  ca: pemOf(webCa),
})
const selfServing = (endpoint: TestEndpoint, bundle?: string): RelationshipOptions => ({
  trustDomain: 'partner.test',
  url: endpoint.url(),
  profile: 'https_spiffe',
  endpointId,
  bundle,
})
const statusesOf = ({ endpoints }: Scene) => endpoints.health.map(({ status }) => status)
/** Sorted: their order in a document says nothing. */
const authoritiesOf = ({ endpoints }: Scene, trustDomain = 'partner.test') =>
  endpoints
    .current()
    .get(trustDomain)
    ?.x509Authorities.map(({ certificate }) => certificate.der.toString('hex'))
    .toSorted((a, b) => (a < b ? -1 : 1))
const derOf = (...authorities: readonly TestAuthority[]) =>
  authorities.map(({ certificate }) => certificate.der.toString('hex')).toSorted((a, b) => (a < b ? -1 : 1))

/** Until the end of the test Node trusts this CA and no other. */
function trustByDefault(authority: TestAuthority): void {
  const before = getCACertificates('default')
  onTestFinished(() => setDefaultCACertificates(before))
  setDefaultCACertificates([pemOf(authority)])
}

/** A store that remembers. */
class MemoryStore implements BundleStore {
  readonly texts = new Map<string, string>()
  writes = 0
  problem: Error | undefined

  async keepOnly(trustDomains: readonly string[]): Promise<void> {
    for (const name of this.texts.keys()) if (!trustDomains.includes(name)) this.texts.delete(name)
  }

  async read(trustDomain: string): Promise<string | undefined> {
    return this.texts.get(trustDomain)
  }

  async write(trustDomain: string, text: string): Promise<void> {
    if (this.problem !== undefined) throw this.problem
    this.writes++
    this.texts.set(trustDomain, text)
  }

  async remove(trustDomain: string): Promise<void> {
    this.texts.delete(trustDomain)
  }
}

describe('fetching', () => {
  test('FE-02 FE-29 a workload fetches bundles by both profiles itself', async () => {
    const [byWeb, bySpiffe] = [
      await serve(webServer, other.bundle()),
      await serve(bundleServer, partner.bundleWithJwt()),
    ]
    const scene = await openScene({
      relationships: [web(byWeb, 'other.test'), selfServing(bySpiffe, printBundleDocument(partner.bundle()))],
    })
    expect(authoritiesOf(scene, 'other.test')).toEqual(derOf(other))
    expect(authoritiesOf(scene, 'partner.test')).toEqual(derOf(partner))
    expect(scene.endpoints.current().get('partner.test')?.jwtAuthorities).toHaveLength(1)
    expect(statusesOf(scene)).toEqual(['current', 'current'])
    expect(scene.endpoints.current()).toBe(scene.endpoints.current())
  })

  test('FE-07 TB-19 a bundle belongs to the trust domain that is configured, whatever its URL and its content', async () => {
    const endpoint = await serve(webServer, other.bundle())
    const scene = await openScene({ relationships: [web(endpoint)] })
    expect(
      scene.endpoints
        .current()
        .values()
        .map(({ trustDomain }) => trustDomain.name),
    ).toEqual(['partner.test'])
  })

  test('FE-06 an endpoint of one profile is never tried by the other', async () => {
    const [svidOnly, webOnly] = [await serve(bundleServer, partner.bundle()), await serve(webServer, other.bundle())]
    trustByDefault(webCa)
    const scene = await openScene({
      relationships: [web(svidOnly, 'other.test'), selfServing(webOnly, printBundleDocument(partner.bundle()))],
    })
    const codes = scene.reports.map(({ error }) => (error as { code?: string }).code)
    expect(codes).toEqual(['BUNDLE_ENDPOINT_UNTRUSTED', 'BUNDLE_ENDPOINT_UNTRUSTED'])
    expect(svidOnly.requests.length + webOnly.requests.length).toBe(0)
    expect(scene.endpoints.current().values()).toEqual([])
  })

  test('FE-11 TB-13 asks every five minutes where no hint says otherwise', async () => {
    const endpoint = await serve(webServer, partner.bundle())
    const scene = await openScene({ relationships: [web(endpoint)] })
    for (const count of [1, 2, 3]) {
      expect(endpoint.requests).toHaveLength(count)
      await scene.nextPoll()
    }
    for (const ms of scene.clock.slept) expect([ms >= 300_000, ms <= 330_000]).toEqual([true, true])
  })

  test.for([
    [0, 60],
    [1, 60],
    [61, 61],
    [3600, 3600],
    [1_000_000_000_000, 86_400],
    [-5, 300],
    [1.5, 300],
    ['60', 300],
  ] as const)('FE-11 TB-12 asks by the hint %j after %i seconds', async ([hint, seconds]) => {
    const endpoint = await serve(webServer, JSON.stringify({ keys: [], spiffe_refresh_hint: hint }))
    const scene = await openScene({ relationships: [web(endpoint)] })
    await until(() => scene.clock.slept.length === 1)
    const [ms = 0] = scene.clock.slept
    expect([ms >= seconds * 1000, ms <= seconds * 1100]).toEqual([true, true])
    const isOdd = typeof hint !== 'number' || hint < 0 || !Number.isInteger(hint)
    expect(scene.reports[0]?.warnings).toHaveLength(isOdd ? 1 : 0)
  })

  test('FE-15 a failure is followed by the next attempt at the usual time, and the last good bundle stays', async () => {
    const endpoint = await serve(webServer, partner.bundle())
    const scene = await openScene({ relationships: [web(endpoint)] })
    const held = scene.endpoints.current()
    endpoint.answer((_request, response) => response.writeHead(500).end())
    for (const count of [2, 3, 4]) {
      expect(await scene.nextPoll()).toMatchObject({ outcome: 'failed' })
      expect(endpoint.requests).toHaveLength(count)
      expect(scene.endpoints.current()).toBe(held)
      expect(statusesOf(scene)).toEqual(['degraded'])
    }
    for (const ms of scene.clock.slept) expect(ms).toBeGreaterThanOrEqual(300_000)
    endpoint.answer(partner.bundle())
    expect(await scene.nextPoll()).toMatchObject({ outcome: 'unchanged', error: undefined })
    expect(scene.healths.map(({ status }) => status)).toEqual(['current', 'degraded', 'current'])
  })

  test('a partner that is away keeps nobody from starting', async () => {
    const endpoint = await serve(webServer, (_request, response) => response.writeHead(503).end())
    const scene = await openScene({ relationships: [web(endpoint)] })
    expect(scene.endpoints.current().values()).toEqual([])
    expect(scene.endpoints.health).toMatchObject([{ status: 'starting', refreshedAt: undefined }])
    expect(scene.endpoints.health[0]?.error).toThrowCode('BUNDLE_ENDPOINT_FAILED', 'status 503')
    endpoint.answer(partner.bundle())
    await scene.nextPoll()
    expect(statusesOf(scene)).toEqual(['current'])
  })

  test('FE-19 tells of each fetch: where, who answered, what and how it went', async () => {
    const bySpiffe = await serve(bundleServer, numbered(partner.bundle(), 7))
    const byWeb = await serve(webServer, (request, response) =>
      request.url === '/' ? response.writeHead(302, { location: '/elsewhere' }).end() : response.end('{"keys":[]}'),
    )
    const scene = await openScene({
      relationships: [selfServing(bySpiffe, pemOf(partner)), web(byWeb, 'other.test')],
    })
    const [spiffe, webReport] = scene.reports.toSorted((a, b) => (a.profile < b.profile ? -1 : 1))
    const url = bySpiffe.url()
    expect(spiffe).toMatchObject({ url, profile: 'https_spiffe', sequence: 7n, outcome: 'installed', warnings: [] })
    expect(spiffe?.trustDomain.name).toBe('partner.test')
    expect(spiffe?.answeredBy).toMatchObject({ url, fingerprint: fingerprintOf(bundleServer) })
    expect(spiffe?.answeredBy?.spiffeId?.toString()).toBe(endpointId)
    expect(webReport).toMatchObject({ url: byWeb.url(), profile: 'https_web', sequence: undefined, error: undefined })
    expect(webReport?.answeredBy).toEqual({
      url: byWeb.url('/elsewhere'),
      spiffeId: undefined,
      fingerprint: fingerprintOf(webServer),
    })
    bySpiffe.answer(numbered(partner.bundle(), 6))
    await expect(scene.endpoints.refresh('partner.test')).rejects.toThrowCode('BUNDLE_SEQUENCE_OLDER')
    expect(scene.reports.at(-1)).toMatchObject({ url, sequence: 6n, outcome: 'failed' })
    expect(scene.reports.at(-1)?.answeredBy?.spiffeId?.toString()).toBe(endpointId)
  })

  test('a fetch on demand is joined by others, and moves the next one', async () => {
    const endpoint = await serve(webServer, partner.bundle())
    const scene = await openScene({ relationships: [web(endpoint)] })
    await Promise.all([scene.endpoints.refresh('partner.test'), scene.endpoints.refresh('partner.test')])
    expect(endpoint.requests).toHaveLength(2)
    endpoint.answer('no bundle')
    await expect(scene.endpoints.refresh('partner.test')).rejects.toThrowCode('JSON_INVALID')
    await expect(scene.endpoints.refresh('nobody.test')).rejects.toThrowCode('RELATIONSHIP_INVALID', 'nobody.test')
  })
})

const fingerprintOf = ({ certificate }: TestSvid): string => new X509Certificate(certificate.der).fingerprint256

describe('freshness', () => {
  const opened = async (sequence: number) => {
    const endpoint = await serve(webServer, numbered(partner.bundle(), sequence))
    return { endpoint, scene: await openScene({ relationships: [web(endpoint)] }) }
  }

  test('FE-13 an older sequence is reported and not installed', async () => {
    const { endpoint, scene } = await opened(5)
    endpoint.answer(numbered(partner.bundle(nextPartner), 4))
    expect((await scene.nextPoll()).error).toThrowCode('BUNDLE_SEQUENCE_OLDER', 'its sequence is 4, and 5 is held')
    expect(authoritiesOf(scene)).toEqual(derOf(partner))
    expect(scene.endpoints.health).toMatchObject([{ status: 'degraded', sequence: 5n }])
  })

  test('FE-13 TB-09 sequences beyond the numbers of JavaScript are told apart', async () => {
    const { endpoint, scene } = await opened(1)
    const text = (sequence: string): string => `{"keys":[],"spiffe_sequence":${sequence}}`
    for (const sequence of ['9007199254740993', '18446744073709551615']) {
      endpoint.answer(text(sequence))
      expect(await scene.nextPoll()).toMatchObject({ outcome: 'installed', sequence: BigInt(sequence) })
    }
    endpoint.answer(text('18446744073709551614'))
    expect((await scene.nextPoll()).error).toThrowCode('BUNDLE_SEQUENCE_OLDER')
  })

  test('FE-13 an equal sequence with other content is reported and installed', async () => {
    const { endpoint, scene } = await opened(5)
    endpoint.answer(numbered(partner.bundle(nextPartner), 5))
    const report = await scene.nextPoll()
    expect(report).toMatchObject({ outcome: 'installed', error: undefined })
    expect(report.warnings.join()).toContain('its sequence 5 has not')
    expect(authoritiesOf(scene)).toEqual(derOf(nextPartner))
  })

  test('FE-13 without a sequence the bundle that was fetched last is the current one', async () => {
    const { endpoint, scene } = await opened(5)
    const unnumbered = JSON.stringify({
      ...JSON.parse(printBundleDocument(nextPartner.bundle())),
      spiffe_sequence: undefined,
    })
    endpoint.answer(unnumbered)
    expect(await scene.nextPoll()).toMatchObject({ outcome: 'installed', sequence: undefined })
    expect(authoritiesOf(scene)).toEqual(derOf(nextPartner))
    endpoint.answer(numbered(partner.bundle(), 1))
    await scene.nextPoll()
    expect(authoritiesOf(scene)).toEqual(derOf(partner))
  })

  test('FE-25 TB-04 TB-05 TB-24 only what is a bundle takes the place of the one that is held', async () => {
    const { endpoint, scene } = await opened(5)
    const held = scene.endpoints.current()
    const texts = [
      '',
      '[]',
      '"text"',
      '{}',
      '{"keys":null}',
      '{"keys":{}}',
      '<html></html>',
      '{"keys":[],"keys":[]}',
      '\uFEFF{"keys":[]}',
    ]
    const tooLong = JSON.stringify({ keys: [], padding: 'x'.repeat(70_000) })
    for (const text of [...texts, tooLong]) {
      endpoint.answer(text)
      expect(await scene.nextPoll()).toMatchObject({ outcome: 'failed' })
      expect(scene.endpoints.current()).toBe(held)
    }
    for (const status of [201, 202, 203, 204, 206, 304, 400, 404, 500]) {
      endpoint.answer((_request, response) =>
        response.writeHead(status).end(status === 204 || status === 304 ? '' : '{"keys":[]}'),
      )
      expect((await scene.nextPoll()).error).toThrowCode('BUNDLE_ENDPOINT_FAILED', `status ${status}`)
      expect(scene.endpoints.current()).toBe(held)
    }
  })

  test('TB-06 TB-07 TB-21 a bundle without usable keys is installed: nobody of that trust domain is trusted', async () => {
    const { endpoint, scene } = await opened(5)
    for (const [sequence, keys] of [
      [6, []],
      [7, [{ kty: 'EC', use: 'future-svid' }]],
    ] as const) {
      endpoint.answer(JSON.stringify({ keys, spiffe_sequence: sequence }))
      expect(await scene.nextPoll()).toMatchObject({ outcome: 'installed' })
      expect(authoritiesOf(scene)).toEqual([])
      expect(statusesOf(scene)).toEqual(['withdrawn'])
    }
  })

  test('whoever watches hears of each change and of no other', async () => {
    const { endpoint, scene } = await opened(5)
    const { endpoints } = scene
    const seen: unknown[] = []
    let changes = 0
    using _listening = endpoints.onChange(() => changes++)
    const watching = (async () => {
      for await (const bundles of endpoints.watch()) seen.push(bundles)
    })()
    await until(() => seen.length === 1)
    const { revision } = endpoints
    await scene.nextPoll()
    expect([seen.length, changes, endpoints.revision]).toEqual([1, 0, revision])
    endpoint.answer(numbered(partner.bundle(nextPartner), 6))
    await scene.nextPoll()
    await until(() => seen.length === 2)
    expect([seen[1] === endpoints.current(), changes, endpoints.revision]).toEqual([true, 1, revision + 1])
    await endpoints.close()
    await watching
    expect(seen).toHaveLength(2)
    expect(() => endpoints.current()).toThrowCode('SOURCE_CLOSED')
    expect(endpoints.health).toMatchObject([{ status: 'closed' }])
  })

  test('a watch ends with its signal', async () => {
    const { scene } = await opened(5)
    const stop = new AbortController()
    const watch = scene.endpoints.watch(stop.signal)
    await watch.next()
    const next = watch.next()
    stop.abort(new Error('enough'))
    await expect(next).rejects.toThrow('enough')
  })
})

describe('restarts', () => {
  test('FE-12 the last bundle is used after a restart while the endpoint is down', async () => {
    const store = new MemoryStore()
    const endpoint = await serve(webServer, numbered(partner.bundle(), 5))
    const first = await openScene({ relationships: [web(endpoint)], store })
    await first.nextPoll()
    expect(store.writes).toBe(1)
    endpoint.answer(numbered(partner.bundle(partner, nextPartner), 6))
    await first.nextPoll()
    expect(store.writes).toBe(2)
    await first.endpoints.close()

    endpoint.answer((_request, response) => response.destroy())
    const second = await openScene({ relationships: [web(endpoint)], store })
    expect(authoritiesOf(second)).toEqual(derOf(partner, nextPartner))
    await until(() => second.reports.length === 1)
    expect(second.endpoints.health).toMatchObject([{ status: 'degraded', sequence: 6n, refreshedAt: undefined }])
    endpoint.answer(numbered(partner.bundle(), 5))
    expect((await second.nextPoll()).error).toThrowCode('BUNDLE_SEQUENCE_OLDER')
  })

  test('FE-16 what is stored of relationships that ended meanwhile, or are others now, is not used', async () => {
    const store = new MemoryStore()
    const endpoint = await serve(webServer, numbered(partner.bundle(), 5))
    await (await openScene({ relationships: [web(endpoint), web(endpoint, 'other.test')], store })).endpoints.close()
    expect([...store.texts.keys()].toSorted((a, b) => a.localeCompare(b))).toEqual(['other.test', 'partner.test'])
    endpoint.answer((_request, response) => response.writeHead(500).end())
    const moved = { ...web(endpoint), url: endpoint.url('/moved') }
    const scene = await openScene({ relationships: [moved], store })
    expect([...store.texts.keys()]).toEqual(['partner.test'])
    expect(scene.endpoints.current().values()).toEqual([])
  })

  test('FE-16 the store is cleared before anything is fetched, so that nothing is taken for what a crash has left', async () => {
    const store = new MemoryStore()
    const endpoint = await serve(webServer, partner.bundle())
    let fetchedMeanwhile = false
    store.keepOnly = async () => {
      // Time for somebody who does not wait.
      for (let turn = 0; turn < 100 && endpoint.requests.length === 0; turn++) await sleep(5)
      fetchedMeanwhile = endpoint.requests.length > 0
    }
    await openScene({ relationships: [web(endpoint)], store })
    expect([fetchedMeanwhile, endpoint.requests.length]).toEqual([false, 1])
  })

  test('FE-16 a relationship that may not be costs no stored bundle', async () => {
    const store = new MemoryStore()
    store.texts.set('ended.test', 'kept')
    const relationships = [{ ...web(await serve(webServer, partner.bundle())), trustDomain: 'example.org' }]
    await expect(openScene({ relationships, store })).rejects.toThrowCode('RELATIONSHIP_INVALID')
    expect([...store.texts.keys()]).toEqual(['ended.test'])
  })

  test('what is damaged in the store is fetched again', async () => {
    const store = new MemoryStore()
    const endpoint = await serve(webServer, partner.bundle())
    await (await openScene({ relationships: [web(endpoint)], store })).endpoints.close()
    const whole = store.texts.get('partner.test')!
    for (const text of [
      '',
      '{',
      whole.slice(0, -20),
      whole.replace('fetched', 'dreamt'),
      whole.replace('keys', 'locks'),
    ]) {
      store.texts.set('partner.test', text)
      const healths: unknown[] = []
      const scene = await openScene({
        relationships: [web(endpoint)],
        store,
        onHealth: (health) => healths.push(health),
      })
      expect(authoritiesOf(scene)).toEqual(derOf(partner))
      await until(() => store.texts.get('partner.test')?.includes('fetched') === true)
      await scene.endpoints.close()
    }
  })

  test('what cannot be stored is in use and reported, and stored when that is possible again', async () => {
    const store = new MemoryStore()
    store.problem = new Error('the disk is full')
    const endpoint = await serve(webServer, partner.bundle())
    const scene = await openScene({ relationships: [web(endpoint)], store })
    expect(scene.reports[0]).toMatchObject({ outcome: 'installed', error: { message: 'the disk is full' } })
    expect(authoritiesOf(scene)).toEqual(derOf(partner))
    store.problem = undefined
    expect(await scene.nextPoll()).toMatchObject({ outcome: 'unchanged', error: undefined })
    expect(store.writes).toBe(1)
  })
})

describe('bundles that an operator sets', () => {
  test('FE-14 are in use until the endpoint has been heard again, whatever the sequences', async () => {
    const store = new MemoryStore()
    const endpoint = await serve(webServer, numbered(partner.bundle(), 5))
    const scene = await openScene({ relationships: [web(endpoint)], store })
    for (const text of [
      printBundleDocument(numbered(nextPartner.bundle(), 1)),
      printBundleDocument(numbered(nextPartner.bundle(), 9)),
      pemOf(nextPartner),
    ]) {
      await scene.endpoints.set('partner.test', text)
      expect(authoritiesOf(scene)).toEqual(derOf(nextPartner))
      expect(store.texts.get('partner.test')).toContain('"given"')
      expect(endpoint.requests).toHaveLength(scene.reports.length)
      expect(await scene.nextPoll()).toMatchObject({ outcome: 'installed' })
      expect(authoritiesOf(scene)).toEqual(derOf(partner))
      expect(store.texts.get('partner.test')).toContain('"fetched"')
    }
  })

  test('FE-14 survive a restart as what they are', async () => {
    const store = new MemoryStore()
    const endpoint = await serve(webServer, numbered(partner.bundle(), 5))
    const first = await openScene({ relationships: [web(endpoint)], store })
    await first.endpoints.set('partner.test', printBundleDocument(numbered(nextPartner.bundle(), 9)))
    await first.endpoints.close()
    const second = await openScene({ relationships: [web(endpoint)], store })
    expect(authoritiesOf(second)).toEqual(derOf(nextPartner))
    await until(() => second.reports.length === 1)
    expect(authoritiesOf(second)).toEqual(derOf(partner))
  })

  test('are refused where they are none, and change nothing', async () => {
    const endpoint = await serve(webServer, partner.bundle())
    const { endpoints } = await openScene({ relationships: [web(endpoint)] })
    const held = endpoints.current()
    const leaf = printPem(bundleServer.chain)
    await expect(endpoints.set('partner.test', '{}')).rejects.toThrowCode('BUNDLE_INVALID')
    await expect(endpoints.set('partner.test', 'certificates')).rejects.toThrowCode('CERTIFICATE_INVALID')
    await expect(endpoints.set('partner.test', leaf)).rejects.toThrowCode('BUNDLE_INVALID', 'not that of an authority')
    await expect(endpoints.set('other.test', pemOf(other))).rejects.toThrowCode('RELATIONSHIP_INVALID', 'no such')
    expect(endpoints.current()).toBe(held)
  })
})

describe('beginning and ending', () => {
  test('FE-16 ending drops the bundle at once, asks nothing more and clears the store', async () => {
    const store = new MemoryStore()
    const [endpoint, staying] = [await serve(webServer, partner.bundle()), await serve(webServer, other.bundle())]
    const scene = await openScene({ relationships: [web(endpoint), web(staying, 'other.test')], store })
    let changes = 0
    using _listening = scene.endpoints.onChange(() => changes++)
    const ending = scene.endpoints.end('partner.test')
    expect(scene.endpoints.current().get('partner.test')).toBeUndefined()
    expect(changes).toBe(1)
    await ending
    expect([...store.texts.keys()]).toEqual(['other.test'])
    await scene.clock.wakeNext()
    await until(() => staying.requests.length === 2)
    expect(endpoint.requests).toHaveLength(1)
    await expect(scene.endpoints.end('partner.test')).rejects.toThrowCode(
      'RELATIONSHIP_INVALID',
      'no such relationship',
    )
  })

  test('FE-16 what is under way when a relationship ends is not installed any more', async () => {
    const store = new MemoryStore()
    const asked = Promise.withResolvers<() => void>()
    const endpoint = await serve(webServer, (_request, response) =>
      asked.resolve(() => response.end(printBundleDocument(partner.bundle()))),
    )
    const { endpoints, reports } = await openScene({ relationships: [], store })
    const adding = endpoints.add(web(endpoint))
    const answer = await asked.promise
    await Promise.all([endpoints.end('partner.test'), adding])
    answer()
    expect(endpoints.current().values()).toEqual([])
    expect([reports.length, store.texts.size, store.writes]).toEqual([0, 0, 0])
  })

  test('a relationship may come later, and again after it has ended', async () => {
    const store = new MemoryStore()
    const endpoint = await serve(webServer, partner.bundle())
    const scene = await openScene({ relationships: [], store })
    await scene.endpoints.add(web(endpoint))
    expect(authoritiesOf(scene)).toEqual(derOf(partner))
    await expect(scene.endpoints.add(web(endpoint))).rejects.toThrowCode('RELATIONSHIP_INVALID', 'two relationships')
    const ending = scene.endpoints.end('partner.test')
    await scene.endpoints.add(web(endpoint))
    await ending
    expect(authoritiesOf(scene)).toEqual(derOf(partner))
    expect([...store.texts.keys()]).toEqual(['partner.test'])
  })

  test('opening ends with its signal, and closes what was begun', async () => {
    const stop = new AbortController()
    const asked = Promise.withResolvers<void>()
    const endpoint = await serve(webServer, () => asked.resolve())
    const opening = BundleEndpoints.open({
      ownTrustDomain: 'example.org',
      relationships: [web(endpoint)],
      signal: stop.signal,
    })
    await asked.promise
    stop.abort(new Error('enough'))
    await expect(opening).rejects.toThrow('enough')
    await expect(
      BundleEndpoints.open({ ownTrustDomain: 'example.org', relationships: [], signal: stop.signal }),
    ).rejects.toThrow('enough')
  })

  test('FE-28 FE-05 FS-10 one relationship that may not be keeps all from beginning', async () => {
    const endpoint = await serve(webServer, partner.bundle())
    const opening = (relationship: RelationshipOptions) =>
      BundleEndpoints.open({ ownTrustDomain: 'example.org', relationships: [web(endpoint), relationship] })
    await expect(opening(web(endpoint, 'example.org'))).rejects.toThrowCode(
      'RELATIONSHIP_INVALID',
      'our own trust domain',
    )
    await expect(opening({ ...web(endpoint, 'other.test'), url: '' })).rejects.toThrowCode(
      'RELATIONSHIP_INVALID',
      'url missing',
    )
    await expect(
      opening({
        ...selfServing(endpoint),
        endpointId: 'spiffe://other.test/bundle-server',
        trustDomain: 'other.test',
      } as RelationshipOptions),
    ).rejects.toThrowCode('RELATIONSHIP_INVALID')
    expect(endpoint.connections).toBe(0)
  })
})

describe('https_spiffe', () => {
  test.for(['a SPIFFE bundle', 'PEM'] as const)(
    'FS-03 a self-serving endpoint is first verified with %s',
    async (form) => {
      const endpoint = await serve(bundleServer, numbered(partner.bundle(partner, nextPartner), 2))
      const initial = form === 'PEM' ? pemOf(partner) : printBundleDocument(partner.bundle())
      const scene = await openScene({ relationships: [selfServing(endpoint, initial)] })
      expect(authoritiesOf(scene)).toEqual(derOf(partner, nextPartner))
    },
  )

  test('FS-03 the initial bundle verifies its endpoint and nobody else', async () => {
    const endpoint = await serve(bundleServer, 'not yet')
    const scene = await openScene({ relationships: [selfServing(endpoint, pemOf(partner))] })
    expect(scene.endpoints.current().values()).toEqual([])
    expect(statusesOf(scene)).toEqual(['starting'])
  })

  test('FS-04 later connections are verified with the latest bundle that was fetched, and not with the initial one', async () => {
    const store = new MemoryStore()
    const endpoint = await serve(bundleServer, numbered(partner.bundle(partner, nextPartner), 2))
    const scene = await openScene({ relationships: [selfServing(endpoint, pemOf(partner))], store })
    // The new root was announced by the first fetch; the initial bundle does not know it.
    endpoint.present(await nextPartner.issue('/bundle-server'))
    endpoint.answer(numbered(nextPartner.bundle(), 3))
    expect(await scene.nextPoll()).toMatchObject({ outcome: 'installed' })
    expect(await scene.nextPoll()).toMatchObject({ outcome: 'unchanged' })
    // The old root was taken back: what it signed is trusted no more.
    endpoint.present(bundleServer)
    expect((await scene.nextPoll()).error).toThrowCode('BUNDLE_ENDPOINT_UNTRUSTED')
    await scene.endpoints.close()

    // After a restart too, with the initial bundle or without.
    endpoint.present(await nextPartner.issue('/bundle-server'))
    for (const initial of [pemOf(partner), undefined]) {
      const again = await openScene({ relationships: [selfServing(endpoint, initial)], store })
      await until(() => again.reports.length === 1)
      expect(again.reports[0]).toMatchObject({ outcome: 'unchanged' })
      await again.endpoints.close()
    }
  })

  test('FS-05 an endpoint of another trust domain is verified with the latest bundle of that one', async () => {
    const signer = await TestAuthority.create({ trustDomain: 'signer.test' })
    const stranger = await TestAuthority.create({ trustDomain: 'signer.test' })
    const served = await serve(await signer.issue('/bundle-server'), partner.bundle())
    const signers = await serve(webServer, (_request, response) => response.writeHead(500).end())
    const relationships: readonly RelationshipOptions[] = [
      { ...selfServing(served), endpointId: 'spiffe://signer.test/bundle-server' } as RelationshipOptions,
      web(signers, 'signer.test'),
    ]
    const scene = await openScene({ relationships })
    expect(scene.reports.find(({ profile }) => profile === 'https_spiffe')?.error).toThrowCode(
      'BUNDLE_UNKNOWN',
      'no bundle of signer.test',
    )
    expect(served.connections).toBe(0)

    // As soon as it is known, the endpoint is asked, and not only at the next interval.
    signers.answer(signer.bundle())
    await scene.endpoints.refresh('signer.test')
    await until(() => scene.endpoints.current().get('partner.test') !== undefined)
    signers.answer(numbered(stranger.bundle(), 2))
    await scene.endpoints.refresh('signer.test')
    await expect(scene.endpoints.refresh('partner.test')).rejects.toThrowCode('BUNDLE_ENDPOINT_UNTRUSTED')
    await scene.endpoints.end('signer.test')
    await expect(scene.endpoints.refresh('partner.test')).rejects.toThrowCode('BUNDLE_UNKNOWN')
  })

  test('FS-05 the first attempt waits for that of the endpoint’s trust domain', async () => {
    const signer = await TestAuthority.create({ trustDomain: 'signer.test' })
    const served = await serve(await signer.issue('/bundle-server'), partner.bundle())
    const signers = await serve(webServer, signer.bundle())
    const scene = await openScene({
      relationships: [
        { ...selfServing(served), endpointId: 'spiffe://signer.test/bundle-server' } as RelationshipOptions,
        web(signers, 'signer.test'),
      ],
    })
    expect(statusesOf(scene)).toEqual(['current', 'current'])
    expect(scene.reports).toHaveLength(2)
  })

  test('FS-05 FE-06 a relationship with the endpoint’s trust domain counts alone, also before its first bundle', async () => {
    const signer = await TestAuthority.create({ trustDomain: 'signer.test' })
    const served = await serve(await signer.issue('/bundle-server'), partner.bundle())
    const signers = await serve(webServer, (_request, response) => response.writeHead(500).end())
    const scene = await openScene({
      relationships: [
        { ...selfServing(served), endpointId: 'spiffe://signer.test/bundle-server' } as RelationshipOptions,
        web(signers, 'signer.test'),
      ],
      bundles: () => bundleSetOf([signer.bundle()]),
    })
    expect(statusesOf(scene)).toEqual(['starting', 'starting'])
    expect(served.connections).toBe(0)
  })

  test('FS-05 the bundle of the endpoint’s trust domain may be known from elsewhere', async () => {
    const home = await TestAuthority.create()
    const served = await serve(await home.issue('/bundle-server'), partner.bundle())
    const relationships = [
      { ...selfServing(served), endpointId: 'spiffe://example.org/bundle-server' } as RelationshipOptions,
    ]
    const scene = await openScene({ relationships, bundles: () => bundleSetOf([home.bundle()]) })
    expect(authoritiesOf(scene)).toEqual(derOf(partner))
    expect(scene.endpoints.current().get('example.org')).toBeUndefined()
    await expect(openScene({ relationships })).rejects.toThrowCode('RELATIONSHIP_INVALID', 'no relationship')
  })

  test('FS-11 a bundle whose authorities have all expired is reported by trust domain, and set anew', async () => {
    const clock = new PollClock(new Date())
    const shortly = new Date(clock.now().getTime() + 600_000)
    const ending = await TestAuthority.create({ trustDomain: 'partner.test', notAfter: shortly })
    const endpoint = await serve(await ending.issue('/bundle-server'), ending.bundle())
    const scene = await openScene({ relationships: [selfServing(endpoint, pemOf(ending))] }, clock)
    expect(scene.endpoints.health).toMatchObject([{ status: 'current', expiresAt: ending.certificate.notAfter }])
    await scene.nextPoll()
    endpoint.answer(numbered(partner.bundle(), 2))
    endpoint.present(bundleServer)
    clock.jump(600_000)
    const { error } = await scene.nextPoll()
    expect(error).toThrowCode('BUNDLE_STALE', 'the bundle of partner.test that is held here is stale')
    expect((error as { hint?: string }).hint).toContain('set it here')
    expect(scene.endpoints.health).toMatchObject([{ status: 'expired', error }])
    expect(endpoint.requests).toHaveLength(2)

    // The endpoint is asked at once, and no later than that.
    await scene.endpoints.set('partner.test', pemOf(partner))
    await until(() => scene.reports.length === 4)
    expect(scene.reports[3]).toMatchObject({ outcome: 'installed', sequence: 2n })
    expect(statusesOf(scene)).toEqual(['current'])
  })

  test('FS-11 an initial bundle that is configured anew takes the place of what was stored', async () => {
    const store = new MemoryStore()
    const endpoint = await serve(bundleServer, partner.bundle())
    const first = await openScene({ relationships: [selfServing(endpoint, pemOf(partner))], store })
    await first.endpoints.close()
    endpoint.present(await nextPartner.issue('/bundle-server'))
    endpoint.answer(numbered(nextPartner.bundle(), 2))
    const same = await openScene({ relationships: [selfServing(endpoint, pemOf(partner))], store })
    await until(() => same.reports.length === 1)
    expect(same.reports[0]?.error).toThrowCode('BUNDLE_ENDPOINT_UNTRUSTED')
    await same.endpoints.close()
    const repaired = await openScene({ relationships: [selfServing(endpoint, pemOf(nextPartner))], store })
    expect(authoritiesOf(repaired)).toEqual(derOf(nextPartner))
  })

  test('an endpoint that has taken back all X.509 authorities is asked no more until one is set', async () => {
    const { x509Authorities: _none, ...tokensOnly } = partner.bundleWithJwt()
    const endpoint = await serve(bundleServer, bundleOf({ ...tokensOnly, sequenceNumber: 2 }))
    const scene = await openScene({ relationships: [selfServing(endpoint, pemOf(partner))] })
    expect((await scene.nextPoll()).error).toThrowCode('BUNDLE_STALE', 'has no X.509 authority')
    expect(endpoint.requests).toHaveLength(1)
    expect(statusesOf(scene)).toEqual(['degraded'])
  })
})
