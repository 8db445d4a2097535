import { createPrivateKey, createPublicKey } from 'node:crypto'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import * as grpc from '@grpc/grpc-js'
import { createLocalJWKSet, importJWK, type JSONWebKeySet, type JWK, jwtVerify, SignJWT } from 'jose'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { WitSource } from '../../src/workload/wit-source.ts'
import { House } from './house.ts'
import type { RunningProcess } from './processes.ts'
import { workloadClient } from './stock-clients.ts'

// WIT-SVIDs from the server to the workload: off, on, off again, and while the authority for them is replaced.

const ON = 'experimental: {witSvid: true}'
const LIMIT_MS = 90_000

interface WitSvids {
  readonly svids: readonly { spiffeId: string; witSvid: string; witSvidKey: string; hint: string }[]
}
interface Bundles<T> {
  readonly bundles: Record<string, T>
}

const OWN = 'spiffe://example.org'

/** What jose reads in a WIT-SVID once it has verified it with a bundle of the Workload API. */
async function verified(token: string, jwks: string, currentDate = new Date()) {
  // jose takes only keys whose `use` it knows.
  const keys = (JSON.parse(jwks) as JSONWebKeySet).keys.map(({ use, ...key }) => {
    expect(use).toBe('wit-svid')
    return key
  })
  return jwtVerify(token, createLocalJWKSet({ keys }), { typ: 'wit+jwt', currentDate })
}

const errorsOf = (process: RunningProcess | undefined): string[] =>
  (process?.stderr ?? '').split('\n').filter((line) => /"level":"error"/.test(line))

describe('where they are turned on', () => {
  let house: House

  beforeAll(async () => {
    house = await House.open({ serverYaml: ON, agentYaml: ON })
    await house.register('/wit', '--hint', 'internal')
  })
  afterAll(async () => house?.[Symbol.asyncDispose]())

  test('WA-49 WA-50 WA-53 WA-54 WI-02 a workload fetches one through the socket, and jose verifies it with the bundle', async () => {
    await using source = await WitSource.open({ endpoint: house.endpoint })
    const { svid } = source.current()
    expect([svid.spiffeId.toString(), svid.hint, svid.algorithm]).toEqual([`${OWN}/wit`, 'internal', 'ES256'])

    using client = workloadClient(house)
    using bundles = client.stream<Bundles<string>>('FetchWITBundles')
    const jwks = (await bundles.next()).bundles[OWN]!
    const { payload, protectedHeader } = await verified(svid.token, jwks)
    expect(payload.sub).toBe(svid.spiffeId.toString())
    expect(Object.keys(protectedHeader).toSorted()).toEqual(['alg', 'kid', 'typ'])
    expect([payload.aud, payload.iss]).toEqual([undefined, undefined])
    // What is signed with the key that came along verifies with the one in the token.
    const { jwk } = payload['cnf'] as { readonly jwk: JWK }
    const proof = await new SignJWT({}).setProtectedHeader({ alg: 'ES256' }).sign(svid.privateKey)
    await expect(jwtVerify(proof, await importJWK(jwk))).resolves.toBeDefined()
  })

  test('WI-22 WA-49 a stock client gets the same token; an id that is not held is PERMISSION_DENIED', async () => {
    await using source = await WitSource.open({ endpoint: house.endpoint })
    using client = workloadClient(house)
    using all = client.stream<WitSvids>('FetchWITSVID')
    const { svids } = await all.next()
    expect(svids.map(({ witSvid }) => witSvid)).toEqual([source.current().svid.token])
    using other = client.stream<WitSvids>('FetchWITSVID', { spiffeId: `${OWN}/other` })
    expect((await other.ended()).code).toBe(grpc.status.PERMISSION_DENIED)
    using malformed = client.stream<WitSvids>('FetchWITSVID', { spiffeId: 'wit' })
    expect((await malformed.ended()).code).toBe(grpc.status.INVALID_ARGUMENT)
  })

  test('WI-36 WA-37 nothing else that is published holds a WIT key, unless it is asked for', async () => {
    const usesOf = async (...options: string[]) => {
      const { keys } = await house.json<{ keys: { use?: string }[] }>('bundle', 'show', ...options)
      return keys.map(({ use }) => use)
    }
    expect(await usesOf('--format', 'spiffe')).toEqual(['x509-svid', 'jwt-svid'])
    expect(await usesOf('--format', 'spiffe', '--wit')).toEqual(['x509-svid', 'jwt-svid', 'wit-svid'])
    expect(await usesOf('--format', 'wit-jwks')).toEqual(['wit-svid'])
    expect(await usesOf('--format', 'jwks')).toEqual([undefined])
    using client = workloadClient(house)
    using jwt = client.stream<Bundles<Buffer>>('FetchJWTBundles')
    const { keys } = JSON.parse((await jwt.next()).bundles[OWN]!.toString()) as JSONWebKeySet
    expect(keys).toHaveLength(1)
  })

  test('SV-12 fetch wit and mint wit write files that verify, the key for its owner alone; each is in the journal', async () => {
    const fetched = house.path('wit')
    const minted = house.path('minted')
    expect((await house.json<{ files: string[] }>('fetch', 'wit', '--write', fetched)).files).toHaveLength(3)
    await house.json('mint', 'wit', '--spiffe-id', `${OWN}/legacy`, '--ttl', '1m', '--write', minted)
    for (const [folder, id] of [
      [fetched, `${OWN}/wit`],
      [minted, `${OWN}/legacy`],
    ] as const) {
      const read = (name: string): string => readFileSync(`${folder}/${name}`, 'utf8').trim()
      const { payload } = await verified(read('wit.jwt'), read('wit-bundle.json'))
      expect(payload.sub).toBe(id)
      const { jwk } = payload['cnf'] as { readonly jwk: JWK }
      const key = createPrivateKey({ key: JSON.parse(read('wit-key.json')) as JWK, format: 'jwk' })
      expect(createPublicKey(key).export({ format: 'jwk' })).toEqual({ ...jwk, alg: undefined })
      expect(statSync(`${folder}/wit-key.json`).mode & 0o777).toBe(0o600)
      for (const log of [house.server, house.agent]) {
        expect(log?.stderr).not.toContain((JSON.parse(read('wit-key.json')) as { d: string }).d)
        expect(log?.stderr).not.toContain(read('wit.jwt'))
      }
    }
    const { stdout } = await house.cli('--output', 'json', 'audit', 'list', '--type', 'wit-svid.issued')
    expect(stdout).toContain(`${OWN}/wit`)
    expect(stdout).toContain(`${OWN}/legacy`)
    expect((await house.cli('audit', 'verify')).code).toBe(0)
  })

  test('a quarantine takes it back and keeps it from being minted; the release gives another', async () => {
    await using source = await WitSource.open({ endpoint: house.endpoint })
    await house.json('quarantine', 'add', `${OWN}/wit`, '--reason', 'test')
    await changed(source, () => source.health.status === 'withdrawn')
    expect(() => source.current()).toThrowCode('IDENTITY_NOT_HELD')
    const mint = await house.cli('mint', 'wit', '--spiffe-id', `${OWN}/wit`, '--write', house.path('no'))
    expect(mint).toMatchObject({ code: expect.any(Number), stderr: expect.stringContaining('ISSUANCE_REFUSED') })
    const [quarantine] = await house.json<{ id: string }[]>('quarantine', 'list')
    await house.json('quarantine', 'rm', quarantine!.id)
    await changed(source, () => source.health.status === 'current')
    expect(source.current().svid.spiffeId.toString()).toBe(`${OWN}/wit`)
  })
})

test(
  'WA-48 WI-02 WI-31 SV-02 rotation of the authority under a running agent and open streams loses nothing',
  { timeout: LIMIT_MS * 2 },
  async () => {
    await using house = await House.open({
      serverYaml: `ca: {ttl: 30s}\nsvid: {x509Ttl: 10s, jwtTtl: 5s, witTtl: 6s, agentTtl: 10s}\n${ON}`,
      agentYaml: ON,
    })
    await house.register('/rotating')
    await using source = await WitSource.open({ endpoint: house.endpoint })
    using client = workloadClient(house)
    using peer = client.stream<Bundles<string>>('FetchWITBundles')
    let known = (await peer.next()).bundles[OWN]!
    const handedOut: string[] = []
    const failures: unknown[] = []
    const kids = new Set<string>()
    const keys = new Set<string>()

    /** Whatever is valid verifies with what a peer was told at that moment: before it was handed out, and until its end. */
    const check = async (token: string): Promise<void> => {
      const now = new Date()
      const { exp } = JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()) as { exp: number }
      if (exp * 1000 <= now.getTime()) return
      const { protectedHeader, payload } = await verified(token, known, now)
      kids.add(protectedHeader.kid ?? '')
      keys.add(JSON.stringify(payload['cnf']))
    }
    const listening = (async () => {
      for (;;) {
        known = (await peer.next()).bundles[OWN]!
        for (const token of handedOut) await check(token)
      }
    })()
    listening.catch((error: unknown) => {
      if ((error as { code?: number }).code !== grpc.status.CANCELLED) failures.push(error)
    })

    const late = AbortSignal.timeout(LIMIT_MS)
    for await (const { svid } of source.watch(late)) {
      handedOut.push(svid!.token)
      await check(svid!.token).catch((error: unknown) => failures.push(error))
      if (kids.size >= 3 || failures.length > 0) break
    }
    expect(failures).toEqual([])
    expect(kids.size).toBe(3)
    // Each token has a key of its own.
    expect(keys.size).toBe(new Set(handedOut).size)
    await changed(source, () => source.health.status === 'current')
    expect(errorsOf(house.agent)).toEqual([])
  },
)

test(
  'ST-01 WA-02 WI-36 off: UNIMPLEMENTED and bundles as they were; turned on it works; turned off nothing is left',
  { timeout: LIMIT_MS * 2 },
  async () => {
    await using house = await House.open()
    await house.register('/wit')
    const configs = ['server/server.yaml', 'agent/agent.yaml'].map((name) => house.path(name))
    const originals = configs.map((path) => readFileSync(path, 'utf8'))
    const restarted = async (line: string): Promise<void> => {
      await house.agent?.stop()
      await house.server?.stop()
      for (const [index, path] of configs.entries()) writeFileSync(path, `${originals[index]}\n${line}\n`)
      await house.startServer()
      await house.startAgent()
    }

    /** Everything that clients of SPIFFE and SPIRE read, by what it comes from. */
    const published = async (): Promise<Record<string, string>> => {
      using client = workloadClient(house)
      using x509 = client.stream<Bundles<Buffer>>('FetchX509Bundles')
      using jwt = client.stream<Bundles<Buffer>>('FetchJWTBundles')
      const { spiffe_sequence: _sequence, ...document } = await house.json('bundle', 'show', '--format', 'spiffe')
      return {
        document: JSON.stringify(document),
        x509: (await x509.next()).bundles[OWN]!.toString('hex'),
        jwt: (await jwt.next()).bundles[OWN]!.toString('utf8'),
      }
    }
    const isOff = async (): Promise<void> => {
      using client = workloadClient(house)
      for (const method of ['FetchWITSVID', 'FetchWITBundles']) {
        using stream = client.stream(method)
        expect((await stream.ended()).code).toBe(grpc.status.UNIMPLEMENTED)
      }
      await expect(WitSource.open({ endpoint: house.endpoint })).rejects.toThrowCode('METHOD_UNIMPLEMENTED')
      const mint = await house.cli('mint', 'wit', '--spiffe-id', `${OWN}/x`, '--write', house.path('x'))
      expect(mint.stderr).toContain('METHOD_UNIMPLEMENTED')
      expect(mint.stderr).toContain('experimental.witSvid')
      const wits = await house.json<{ keys: unknown[] }>('bundle', 'show', '--format', 'wit-jwks')
      expect(wits.keys).toEqual([])
    }

    await isOff()
    const before = await published()
    await restarted(ON)
    {
      await using source = await WitSource.open({ endpoint: house.endpoint })
      expect(source.bundles.get('example.org')?.witAuthorities).toHaveLength(1)
      expect(await published()).toEqual(before)
    }
    await restarted('')
    await isOff()
    expect(await published()).toEqual(before)
  },
)

/** Waits until a source has changed to what is wanted. */
async function changed(source: WitSource, isWanted: () => boolean): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  const late = setTimeout(() => reject(new Error(`it is ${source.health.status}`)), LIMIT_MS)
  const look = (): void => {
    if (isWanted()) resolve()
  }
  using _changes = source.onChange(look)
  using _health = source.onHealth(look)
  look()
  await promise
  clearTimeout(late)
}
