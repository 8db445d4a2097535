import { beforeAll, beforeEach, expect, test } from 'vitest'
import { printBundleDocument } from '../../../src/bundle/bundle-document.ts'
import type { Bundle } from '../../../src/bundle/bundle.ts'
import { SallyportError } from '../../../src/errors.ts'
import type { DocumentRequest } from '../../../src/federation/fetch-document.ts'
import type { FetchReport } from '../../../src/federation/fetch-report.ts'
import { parseGivenBundle } from '../../../src/federation/given-bundle.ts'
import { Poller } from '../../../src/federation/poller.ts'
import { parseRelationship, type RelationshipOptions } from '../../../src/federation/relationship.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import { printPem } from '../../../src/x509/pem.ts'
import { settled } from '../../fakes/fake-clock.ts'
import { PollClock } from './poll-clock.ts'

let partner: TestAuthority
let nextPartner: TestAuthority
let clock: PollClock
let reports: FetchReport[]
/** What was asked and is not answered yet. */
let asked: (PromiseWithResolvers<string> & { readonly request: DocumentRequest })[]
let others: Bundle | undefined
let bundleOf: () => Bundle | undefined
let changes: number

beforeAll(async () => {
  ;[partner, nextPartner] = await Promise.all([
    TestAuthority.create({ trustDomain: 'partner.test' }),
    TestAuthority.create({ trustDomain: 'partner.test' }),
  ])
})

beforeEach(() => {
  ;[clock, reports, asked, others, changes] = [new PollClock(new Date()), [], [], undefined, 0]
  bundleOf = () => others
})

const url = 'https://bundles.test/'
const byWeb: RelationshipOptions = { trustDomain: 'partner.test', url, profile: 'https_web' }
const servedBy = (endpointId: string, bundle?: string): RelationshipOptions => ({
  trustDomain: 'partner.test',
  url,
  profile: 'https_spiffe',
  endpointId,
  bundle,
})

const pollerOf = (options: RelationshipOptions): Poller =>
  new Poller(parseRelationship(options), {
    clock,
    random: () => 0,
    fetch: (request) => {
      const answer = { ...Promise.withResolvers<string>(), request }
      asked.push(answer)
      return answer.promise
    },
    store: undefined,
    bundleOf: () => bundleOf(),
    onChange: () => changes++,
    onHealth: () => {},
    onFetch: (report) => reports.push(report),
  })
const verifierOf = (index: number): Bundle | undefined => {
  const { trust } = asked[index]!.request
  return trust.profile === 'https_spiffe' ? trust.bundle : undefined
}
const untrusted = new SallyportError('BUNDLE_ENDPOINT_UNTRUSTED', 'Cannot trust who answers')

test('FE-16 an answer that comes after the end of the relationship is not installed and not reported', async () => {
  const poller = pollerOf(byWeb)
  poller.start()
  await settled()
  asked[0]!.resolve(printBundleDocument(partner.bundle()))
  const ending = poller.end()
  expect(poller.bundle).toBeUndefined()
  await ending
  expect([poller.bundle, changes, reports.length, poller.health.status]).toEqual([undefined, 0, 0, 'closed'])
})

test('FE-16 a bundle is gone as soon as its relationship ends, whatever is under way', async () => {
  const poller = pollerOf(byWeb)
  poller.start()
  await settled()
  asked[0]!.resolve(printBundleDocument(partner.bundle()))
  await settled()
  expect(poller.bundle).toBeDefined()
  void poller.poll()
  const ending = poller.end()
  expect(poller.bundle).toBeUndefined()
  asked[1]!.reject(new Error('aborted'))
  await ending
})

test('whoever waits for the first attempt of another ends without it', async () => {
  const poller = pollerOf(byWeb)
  poller.start(new Promise(() => {}))
  await settled()
  await poller.close()
  expect(asked).toHaveLength(0)
})

test('FE-11 the pause begins when an attempt is over, and is longer than the hint at random', async () => {
  const poller = pollerOf(byWeb)
  poller.start()
  await settled()
  await clock.advance(20_000)
  asked[0]!.resolve('{"keys":[],"spiffe_refresh_hint":100}')
  await settled()
  expect([clock.slept, reports[0]?.durationMs]).toEqual([[100_000], 20_000])
  await clock.advance(99_999)
  expect(asked).toHaveLength(1)
  await clock.advance(1)
  expect(asked).toHaveLength(2)
  asked[1]!.reject(untrusted)
  await poller.close()
})

test('FS-11 a bundle that is set while an attempt fails for the old one is tried at once', async () => {
  const poller = pollerOf(servedBy('spiffe://partner.test/bundle-server', printPem([partner.certificate])))
  poller.start()
  await settled()
  await poller.give(parseGivenBundle(printPem([nextPartner.certificate]), nextPartner.trustDomain))
  asked[0]!.reject(untrusted)
  await settled()
  expect(asked).toHaveLength(2)
  expect(verifierOf(1)).toBe(poller.bundle)
  // That one fails too: now the usual time is waited for.
  asked[1]!.reject(untrusted)
  await settled()
  expect([asked.length, clock.slept]).toEqual([2, [300_000]])
  await poller.close()
})

test('FS-05 the other bundle is that of the moment of each attempt', async () => {
  const poller = pollerOf(servedBy('spiffe://signer.test/bundle-server'))
  poller.start()
  await settled()
  expect([asked.length, poller.health.error]).toMatchObject([0, { code: 'BUNDLE_UNKNOWN' }])
  for (const authority of [partner, nextPartner]) {
    others = authority.bundle()
    void poller.poll()
    await settled()
    expect(verifierOf(asked.length - 1)).toBe(others)
    asked.at(-1)!.reject(untrusted)
    await settled()
  }
  await poller.close()
})

test('FE-15 neither a change of another bundle nor a failure for other reasons brings the next attempt forward', async () => {
  const poller = pollerOf(servedBy('spiffe://signer.test/bundle-server'))
  others = partner.bundle()
  poller.start()
  await settled()
  asked[0]!.reject(new SallyportError('BUNDLE_ENDPOINT_FAILED', 'status 500'))
  await settled()
  poller.verifierChanged()
  await settled()
  expect(asked).toHaveLength(1)
  await poller.close()
})

test('FE-14 FE-15 a bundle that is set and does not verify its own endpoint brings no attempt forward', async () => {
  for (const options of [byWeb, servedBy('spiffe://signer.test/bundle-server')]) {
    others = partner.bundle()
    const before = asked.length
    const poller = pollerOf(options)
    poller.start()
    await settled()
    asked.at(-1)!.reject(untrusted)
    await settled()
    await poller.give(parseGivenBundle(printPem([nextPartner.certificate]), nextPartner.trustDomain))
    await settled()
    expect(asked).toHaveLength(before + 1)
    await poller.close()
  }
})

test('FE-15 a bundle from elsewhere that says the same is the same, whatever object it is', async () => {
  bundleOf = () => ({ ...partner.bundle() })
  const poller = pollerOf(servedBy('spiffe://signer.test/bundle-server'))
  poller.start()
  await settled()
  asked[0]!.reject(untrusted)
  await settled()
  expect([asked.length, clock.slept]).toEqual([1, [300_000]])
  await poller.close()
})

test('whoever knows the other bundle may fail: the attempt fails with it, and the next one comes', async () => {
  bundleOf = () => {
    throw new SallyportError('SVID_EXPIRED', 'the agent is away')
  }
  const poller = pollerOf(servedBy('spiffe://signer.test/bundle-server'))
  poller.start()
  await settled()
  expect(poller.health.error).toThrowCode('SVID_EXPIRED')
  await poller.give(parseGivenBundle(printPem([partner.certificate]), partner.trustDomain))
  bundleOf = () => partner.bundle()
  await clock.advance(300_000)
  expect(asked).toHaveLength(1)
  asked[0]!.reject(untrusted)
  await poller.close()
})
