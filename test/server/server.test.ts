import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { serverConfig } from '../../server/config.ts'
import { memoryKeyStore } from '../../server/keys/memory-key-store.ts'
import { openServer, type ServerDeps } from '../../server/server.ts'
import { checkConfig } from '../../src/config/read-config.ts'
import { SallyportError } from '../../src/errors.ts'
import { threadPoolCryptography as cryptography } from '../../src/key/thread-pool-cryptography.ts'
import { silentLog } from '../../src/log/log.ts'
import { MetricRegistry } from '../../src/metrics/registry.ts'
import { decodeCertificate } from '../../src/x509/decode-certificate.ts'
import type { ServeOptions, WireServer } from '../../src/wire/serve.ts'
import { fakeCall, tlsConnection } from '../fakes/fake-call.ts'
import { FakeClock, settled } from '../fakes/fake-clock.ts'
import { MemoryStore } from '../fakes/memory-store.ts'
import { until } from '../fakes/until.ts'

const config = checkConfig({ trustDomain: 'example.org', listen: '127.0.0.1:0' }, 'test', serverConfig)

/** A whole server whose sockets, disk and time are fakes. */
function world() {
  const clock = new FakeClock()
  const store = new MemoryStore({ clock })
  const keys = memoryKeyStore(cryptography)
  const events: string[] = []
  const served: ServeOptions[] = []
  const wire: WireServer = {
    connections: new Set(),
    disconnect: () => undefined,
    listenUnix: (path) => Promise.resolve(void events.push(`listen ${path}`)),
    listenTls: (_address, { credentials }) => {
      events.push(`listen as ${credentials().chain.length > 0 ? 'somebody' : 'nobody'}`)
      return Promise.resolve({ port: 8081 })
    },
    drain: () => Promise.resolve(void events.push('drain')),
    [Symbol.asyncDispose]: () => Promise.resolve(void events.push('close')),
  }
  const deps: ServerDeps = {
    ...{ clock, cryptography, log: silentLog, random: randomBytes, metrics: new MetricRegistry() },
    openDataFolder: () => ({ databasePath: '/db', keysFolder: '/keys', serverId: '0123456789abcdef' }),
    openStore: () => Promise.resolve(store),
    openKeys: () => Promise.resolve(keys),
    prepareSocketFolder: () => undefined,
    serve: (options) => {
      served.push(options)
      return wire
    },
  }
  return { clock, store, events, served, deps }
}

const types = async (store: MemoryStore): Promise<string[]> =>
  (await Array.fromAsync(store.audit({}))).map(({ type }) => type)

describe('openServer()', () => {
  test('SV-02 nobody can connect before there is an authority and an SVID of it to show', async () => {
    const { deps, events, store } = world()
    await using server = await openServer(config, deps)
    expect(events).toEqual(['listen admin.sock', 'listen as somebody'])
    expect(server.isReady()).toBe(true)
    expect(server.directory.bundle('example.org')?.x509Authorities).toHaveLength(1)
    expect((await types(store)).at(-1)).toBe('server.started')
  })

  test('WI-18 SV-02 with WIT-SVIDs on it is ready once it can sign them, and warns of an issuer like one of ID tokens', async () => {
    const { deps } = world()
    const warnings: string[] = []
    const log = { ...silentLog, warn: (_fields: object, sentence: string) => void warnings.push(sentence) }
    const options = { svid: { witIssuer: 'https://issuer.example' }, experimental: { witSvid: true } }
    const wit = checkConfig({ trustDomain: 'example.org', listen: '127.0.0.1:0', ...options }, 'test', serverConfig)
    await using server = await openServer(wit, { ...deps, log })
    expect(warnings).toEqual([expect.stringContaining('svid.witIssuer is an https URL')])
    expect(server.isReady()).toBe(true)
    expect(server.directory.bundle('example.org')?.witAuthorities).toHaveLength(1)
  })

  test('answers only those who are allowed, unknown methods for nobody', async () => {
    const { deps, served } = world()
    await using _server = await openServer(config, deps)
    const before = served[0]?.before
    const stranger = tlsConnection(undefined)
    await before?.(fakeCall('/spire.api.server.bundle.v1.Bundle/GetBundle', stranger))
    const refused = before?.(fakeCall('/spire.api.server.entry.v1.Entry/ListEntries', stranger))
    await expect(refused).rejects.toSatisfy(
      (error) => error instanceof SallyportError && error.code === 'CALLER_UNPROVEN',
    )
    const unknown = before?.(fakeCall('/spire.api.server.trustdomain.v1.TrustDomain/RefreshBundle', stranger))
    await expect(unknown).rejects.toSatisfy(
      (error) => error instanceof SallyportError && error.code === 'METHOD_UNIMPLEMENTED',
    )
  })

  test('drains once: streams end, refusals are written, the journal ends with the stop', async () => {
    const { deps, events, store } = world()
    const server = await openServer(config, deps)
    let written: string[] = []
    const commit = store.commit.bind(store)
    store.commit = async (transaction) => {
      written = [...written, ...transaction.audit.map(({ type }) => type)]
      return commit(transaction)
    }
    await Promise.all([server.drain(), server.drain()])
    await server[Symbol.asyncDispose]()
    expect(events.slice(2)).toEqual(['drain', 'close'])
    expect(written).toEqual(['server.stopped'])
    expect(server.isReady()).toBe(false)
  })

  test('what was opened is closed when a later part cannot be', async () => {
    const { deps, events } = world()
    const failing = { ...deps, prepareSocketFolder: () => raise(new SallyportError('SOCKET_FOLDER_REFUSED', 'no')) }
    await expect(openServer(config, failing)).rejects.toThrow('no')
    expect(events).toEqual(['close'])
  })

  test('SE-20 its own SVID is replaced when the wall clock returns from the future', async () => {
    const { deps, clock } = world()
    let shown: (() => { readonly chain: readonly Buffer[] }) | undefined
    const serving: ServerDeps['serve'] = (options) => ({
      ...deps.serve(options),
      listenTls(_address, { credentials }) {
        shown = credentials
        return Promise.resolve({ port: 8081 })
      },
    })
    await using _server = await openServer(config, { ...deps, serve: serving })
    clock.jump(2 * 86_400_000)
    await clock.advance(5000)
    await until(() => isValid(shown, clock))
    clock.jump(-2 * 86_400_000)
    await clock.advance(60_000)
    await until(() => isValid(shown, clock))
  })

  test('stops although the store takes nothing any more', async () => {
    const { deps, store, events } = world()
    const server = await openServer(config, deps)
    store.commit = () => Promise.reject(new SallyportError('STORE_FULL', 'no room'))
    await server.drain()
    expect(events.slice(-2)).toEqual(['drain', 'close'])
  })

  test('its own SVID is replaced at half of its life', async () => {
    const { deps, clock, store } = world()
    await using server = await openServer(config, deps)
    await clock.advance(31 * 60_000)
    // It is signed by other threads.
    let issued = 0
    for (let turn = 0; turn < 10_000 && issued < 2; turn++) {
      await settled()
      issued = (await Array.fromAsync(store.audit({ type: 'x509-svid.issued' }))).length
    }
    expect(issued).toBe(2)
    expect(server.isReady()).toBe(true)
  })
})

/** Is what the server shows valid now, for somebody whose clock is right? */
function isValid(credentials: (() => { readonly chain: readonly Buffer[] }) | undefined, clock: FakeClock): boolean {
  try {
    const [leaf = Buffer.alloc(0)] = credentials?.().chain ?? []
    const { notBefore, notAfter } = decodeCertificate(leaf)
    return notBefore <= clock.now() && clock.now() < notAfter
  } catch (error) {
    // The old one has ended and the new one is being signed.
    if (error instanceof SallyportError && error.code === 'NOT_READY') return false
    throw error
  }
}

function raise(error: Error): never {
  throw error
}
