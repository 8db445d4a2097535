import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleOf, type Bundle } from '../../src/bundle/bundle.ts'
import { bundleSetOf } from '../../src/bundle/bundle-set.ts'
import { TrustDomain } from '../../src/id/trust-domain.ts'
import { threadPoolCryptography as cryptography } from '../../src/key/thread-pool-cryptography.ts'
import { verifyX509Svid } from '../../src/svid/verify-x509-svid.ts'
import { decodeCertificates } from '../../src/x509/decode-certificate.ts'
import { House } from './house.ts'
import type { RunningProcess } from './processes.ts'
import { workloadClient } from './stock-clients.ts'

// Authorities that live for seconds: they are replaced several times while everything stays connected and in use.

interface X509Response {
  readonly svids: readonly { readonly x509Svid: Buffer; readonly bundle: Buffer }[]
}

const WATCHED_MS = 13_000

let house: House

beforeAll(async () => {
  house = await House.open({
    serverYaml: 'ca: {keyType: ec-p384, ttl: 18s}\nsvid: {x509Ttl: 5s, jwtTtl: 5s, agentTtl: 6s}',
  })
  await house.register('/rotating')
})

afterAll(async () => house?.[Symbol.asyncDispose]())

function bundleOfDer(der: Buffer): Bundle {
  const x509Authorities = decodeCertificates(der).map((certificate) => ({ certificate, tainted: false }))
  return bundleOf({ trustDomain: TrustDomain.parse('example.org'), x509Authorities })
}

const warningsOf = (process: RunningProcess | undefined): string[] =>
  (process?.stderr ?? '').split('\n').filter((line) => /"level":"(warn|error)"/.test(line))

test('X5-13 WA-48 rotation of both authorities under a running agent and open streams loses nothing', async () => {
  using client = workloadClient(house)
  const ends = performance.now() + WATCHED_MS
  const issuers = new Set<string>()
  const keyIds = new Set<string>()
  const failures: unknown[] = []
  let messages = 0

  /** Everything that arrives verifies with the bundle that a peer was given before it. */
  async function watchX509(): Promise<void> {
    using stream = client.stream<X509Response>('FetchX509SVID')
    using peer = client.stream<{ bundles: Record<string, Buffer> }>('FetchX509Bundles')
    let known = bundleOfDer((await peer.next()).bundles['spiffe://example.org']!)
    const follow = async (): Promise<never> => {
      for (;;) {
        const { bundles } = await peer.next()
        // A peer that takes its time.
        await sleep(300)
        known = bundleOfDer(bundles['spiffe://example.org']!)
      }
    }
    const following = follow()
    following.catch(() => undefined)
    while (performance.now() < ends) {
      const { svids } = await stream.next()
      messages++
      expect(svids).toHaveLength(1)
      for (const { x509Svid, bundle } of svids) {
        const chain = decodeCertificates(x509Svid)
        for (const trusted of [known, bundleOfDer(bundle)]) {
          await verifyX509Svid(chain, bundleSetOf([trusted]), new Date(), cryptography)
        }
        issuers.add(chain[0]!.authorityKeyId?.toString('hex') ?? '')
      }
    }
  }

  /** The same for tokens: what is handed out verifies with the keys that others were given before. */
  async function watchJwt(): Promise<void> {
    using stream = client.stream<{ bundles: Record<string, Buffer> }>('FetchJWTBundles')
    let known = (await stream.next()).bundles['spiffe://example.org']!
    const follow = async (): Promise<never> => {
      for (;;) {
        const { bundles } = await stream.next()
        await sleep(100)
        known = bundles['spiffe://example.org']!
      }
    }
    follow().catch(() => undefined)
    while (performance.now() < ends) {
      const audience = [`orders-${messages}`]
      const { svids } = await client.call<{ svids: { svid: string }[] }>('FetchJWTSVID', { audience })
      const jwks = createLocalJWKSet(JSON.parse(known.toString()) as JSONWebKeySet)
      const { protectedHeader } = await jwtVerify(svids[0]!.svid, jwks, { audience })
      keyIds.add(protectedHeader.kid ?? '')
      await sleep(150)
    }
  }

  await Promise.all(
    [watchX509(), watchJwt()].map((watching) => watching.catch((error: unknown) => failures.push(error))),
  )
  expect(failures).toEqual([])
  expect(issuers.size).toBeGreaterThan(1)
  expect(keyIds.size).toBeGreaterThan(1)
  expect(house.agent?.hasExited).toBe(false)
  expect(warningsOf(house.agent)).toEqual([])
}, 40_000)
