import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { verifyX509Svid } from '../../../src/svid/verify-x509-svid.ts'
import type { X509Svid } from '../../../src/svid/x509-svid.ts'
import { RpcError } from '../../../src/wire/status.ts'
import type { SourceHealth } from '../../../src/workload/source-health.ts'
import { WorkloadClient } from '../../../src/workload/workload-client.ts'
import { X509Source, type X509SourceOptions } from '../../../src/workload/x509-source.ts'
import { FakeClock, settled } from '../../fakes/fake-clock.ts'
import { TestAuthority, type TestSvid } from '../../../src/testing/test-authority.ts'
import { testCrl } from '../../fakes/test-crl.ts'
import { ScriptedWorkloadApi, silence, type Step } from '../../fakes/workload-api.ts'
import { svidMessageOf, x509MessageOf } from '../../fakes/workload-messages.ts'

const start = new Date('2026-06-01T12:00:00Z')
const HOUR_MS = 3_600_000
const denied = new RpcError('PERMISSION_DENIED', 'no identity issued')
const down = new RpcError('UNAVAILABLE', 'restarting')

let home: TestAuthority
let web: TestSvid
let api: TestSvid
let clock: FakeClock

beforeAll(async () => {
  home = await TestAuthority.create({ now: start })
  ;[web, api] = await Promise.all([home.issue('/web'), home.issue('/api')])
})

beforeEach(() => {
  clock = new FakeClock(start)
})

const message = (...svids: readonly TestSvid[]) => x509MessageOf(svids.map((svid) => svidMessageOf(svid, home)))
const hinted = (svid: TestSvid, hint: string) => svidMessageOf(svid, home, { hint })

function clientOf(...scripts: readonly (readonly Step[])[]) {
  const agent = new ScriptedWorkloadApi({ fetchX509Svid: scripts })
  return {
    agent,
    client: new WorkloadClient({ transport: agent, clock, address: 'unix:/run/a.sock', random: () => 0.5 }),
  }
}

const open = (scripts: readonly (readonly Step[])[], options: X509SourceOptions = {}): Promise<X509Source> =>
  X509Source.open({ client: clientOf(...scripts).client, ...options })

/** A message that comes when the test says so. */
function later() {
  const { promise, resolve } = Promise.withResolvers<void>()
  const wait: Step = async (options) => Promise.race([promise, silence(options)])
  return { wait, come: async () => (resolve(), settled()) }
}

describe('X509Source.open()', () => {
  test('waits for the first SVID and offers it with its bundles', async () => {
    await using source = await open([[message(web, api), silence]])
    const { svid, bundles } = source.current()
    expect(svid.spiffeId.path).toBe('/web')
    expect(bundles.get('example.org')?.x509Authorities).toHaveLength(1)
    expect(source.svids.map(({ spiffeId }) => spiffeId.path)).toEqual(['/web', '/api'])
    expect(source.current()).toBe(source.current())
  })

  test('WE-20: an agent that is not there yet is waited for', async () => {
    const opening = open([[down], [down], [message(web), silence]])
    await clock.advance(3_000)
    await using source = await opening
    expect(source.current().svid.spiffeId.path).toBe('/web')
  })

  test('WE-21: a workload that is registered later gets its SVID', async () => {
    const opening = open([[denied], [message(web), silence]])
    await clock.advance(1_000)
    await using source = await opening
    expect(source.health.status).toBe('current')
  })

  test.for<readonly [string, readonly Step[], string, string]>([
    ['nobody answers', [silence], 'no SVID has arrived yet', 'sallyport explain --pid'],
    ['no entry matches', Array.from({ length: 20 }, () => denied), 'no identity issued', 'sallyport explain --pid'],
    ['the agent cannot serve', Array.from({ length: 20 }, () => down), 'restarting', 'sallyport status'],
  ])('IO-41: when %s it says in time what is missing, and what helps', async ([, steps, why, hint]) => {
    const opening = open(
      steps.map((step) => [step]),
      { timeoutMs: 5_000 },
    )
    const failure = opening.catch((error: unknown) => error)
    await clock.advance(4_999)
    await clock.advance(1)
    expect(await failure).toThrowCode('SOURCE_TIMEOUT', 'an X509-SVID from unix:/run/a.sock within 5000 ms')
    expect(await failure).toMatchObject({ message: expect.stringContaining(why), hint: expect.stringContaining(hint) })
  })

  test('waits for as long as it takes when asked to', async () => {
    const { wait, come } = later()
    const opening = open([[wait, message(web), silence]], { timeoutMs: Infinity })
    await clock.advance(HOUR_MS / 2)
    await come()
    await using source = await opening
    expect(source.health.status).toBe('current')
  })

  test('IO-41: the wait ends with the signal, and nothing is left behind', async () => {
    const stop = new AbortController()
    const { agent, client } = clientOf([silence])
    const opening = X509Source.open({ client, signal: stop.signal }).catch((error: unknown) => error)
    await settled()
    stop.abort(new Error('enough'))
    expect(await opening).toMatchObject({ message: 'enough' })
    expect(agent.calls[0]?.options.signal?.aborted).toBe(true)
    await expect(X509Source.open({ client, signal: stop.signal })).rejects.toThrow('enough')
    expect(agent.calls).toHaveLength(1)
  })

  test('the signal of opening does not end the source', async () => {
    const stop = new AbortController()
    await using source = await open([[message(web), silence]], { signal: stop.signal })
    stop.abort()
    await settled()
    expect(source.health.status).toBe('current')
  })

  test.for([
    ['INVALID_ARGUMENT', 'REQUEST_INVALID'],
    ['UNIMPLEMENTED', 'METHOD_UNIMPLEMENTED'],
  ] as const)('WE-19 WE-22: fails at once when the agent answers %s', async ([status, code]) => {
    await expect(open([[new RpcError(status, 'not like this')]])).rejects.toThrowCode(code, 'not like this')
  })

  test('WE-09: says which variable is missing', async () => {
    const before = process.env['SPIFFE_ENDPOINT_SOCKET']
    delete process.env['SPIFFE_ENDPOINT_SOCKET']
    try {
      await expect(X509Source.open()).rejects.toThrowCode('ENDPOINT_INVALID', 'SPIFFE_ENDPOINT_SOCKET is not set')
    } finally {
      if (before !== undefined) process.env['SPIFFE_ENDPOINT_SOCKET'] = before
    }
  })
})

describe('the picker', () => {
  const both = () => x509MessageOf([hinted(web, 'internal'), hinted(api, 'external')])

  test.for<readonly [string, X509SourceOptions['picker'], string]>([
    ['nothing', undefined, '/web'],
    ['a hint', { hint: 'external' }, '/api'],
    ['an id', { spiffeId: 'spiffe://example.org/api' }, '/api'],
    ['a function', (svids: readonly X509Svid[]) => svids.at(-1), '/api'],
  ])('WA-18 WA-19: with %s', async ([, picker, path]) => {
    await using source = await open([[both(), silence]], { picker })
    expect(source.current().svid.spiffeId.path).toBe(path)
  })

  test('WA-16: of two with the same hint takes the first', async () => {
    const colliding = x509MessageOf([hinted(web, ''), hinted(api, 'same'), hinted(web, 'same')])
    await using source = await open([[colliding, silence]], { picker: { hint: 'same' } })
    expect(source.current().svid.spiffeId.path).toBe('/api')
  })

  test('WA-19: never falls back to the default: it waits, then says what it wants', async () => {
    const opening = open([[both(), silence]], { picker: { hint: 'other' }, timeoutMs: 10 })
    const failure = opening.catch((error: unknown) => error)
    await clock.advance(10)
    expect(await failure).toThrowCode('SOURCE_TIMEOUT', 'with hint "other" among the 2 held')
  })

  test('WA-19: when its choice disappears it is nobody, and somebody again when it returns', async () => {
    const [first, second] = [later(), later()]
    const script = [both(), first.wait, message(web), second.wait, both(), silence]
    await using source = await open([script], { picker: { hint: 'external' } })
    await first.come()
    expect(() => source.current()).toThrowCode('IDENTITY_NOT_HELD', 'with hint "external"')
    await second.come()
    expect(source.current().svid.spiffeId.path).toBe('/api')
  })

  test('a picker that throws is an error of that moment', async () => {
    const opening = open([[both(), silence]], {
      timeoutMs: 10,
      picker: () => {
        throw new RangeError('oops')
      },
    })
    const failure = opening.catch((error: unknown) => error)
    await clock.advance(10)
    expect(await failure).toThrowCode('SOURCE_TIMEOUT', 'oops')
  })

  test('refuses an id that is none before it waits', async () => {
    await expect(open([[both()]], { picker: { spiffeId: 'example.org/web' } })).rejects.toThrowCode('SPIFFE_ID_INVALID')
  })
})

describe('an open source', () => {
  test('WA-31: all of one message takes effect at once, and listeners hear of it afterwards', async () => {
    const { wait, come } = later()
    await using source = await open([[message(web), wait, message(api), silence]])
    const seen: unknown[] = []
    using _listening = source.onChange(() => seen.push([source.revision, source.current().svid.spiffeId.path]))
    await come()
    expect(seen).toEqual([[2, '/api']])
  })

  test('a listener hears nothing after it was disposed, and one that throws disturbs nobody', async () => {
    const { wait, come } = later()
    await using source = await open([[message(web), wait, message(api), silence]])
    const seen: string[] = []
    const warnings: Error[] = []
    const warned = (warning: Error): void => void warnings.push(warning)
    process.on('warning', warned)
    using _broken = source.onChange(() => {
      throw new Error('broken listener')
    })
    using _other = source.onChange(() => seen.push('heard'))
    source.onChange(() => seen.push('gone'))[Symbol.dispose]()
    await come()
    process.off('warning', warned)
    expect(seen).toEqual(['heard'])
    expect(warnings.map(({ message }) => message)).toContain('broken listener')
  })

  test('WA-25: after PERMISSION_DENIED it is nobody', async () => {
    await using source = await open([[message(web), denied], [silence]])
    await settled()
    expect(() => source.current()).toThrowCode('IDENTITY_NOT_HELD', 'withdrawn')
    expect(source.svids).toEqual([])
    expect(source.health).toMatchObject({ status: 'withdrawn', error: { code: 'NO_IDENTITY' } })
  })

  test('keeps what it holds while the agent is away, refuses past its end, and recovers by itself', async () => {
    const renewed = await home.issue('/web', { notAfter: new Date(start.getTime() + 10 * HOUR_MS) })
    const { wait, come } = later()
    const away = Array.from({ length: 200 }, () => [down])
    await using source = await open([[message(web), wait, down], ...away, [message(renewed), silence]])
    const told: SourceHealth[] = []
    source.onHealth((health) => told.push(health))
    await come()
    await clock.advance(HOUR_MS - 1)
    expect(source.current().svid.spiffeId.path).toBe('/web')
    expect(source.health).toMatchObject({ status: 'degraded', error: { code: 'IDENTITY_PENDING' } })
    await clock.advance(1)
    expect(() => source.current()).toThrowCode('SVID_EXPIRED', 'restarting')
    await clock.advance(2 * HOUR_MS)
    expect(source.current().svid.chain[0].notAfter).toEqual(renewed.certificate.notAfter)
    expect(told.map(({ status }) => status)).toEqual(['degraded', 'expired', 'current'])
    expect(told[1]!.since).toEqual(web.certificate.notAfter)
    expect(told[2]).toMatchObject({ error: undefined, expiresAt: renewed.certificate.notAfter })
  })

  test('is expired the moment that the wall clock says so, whatever timers do', async () => {
    await using source = await open([[message(web), silence]])
    clock.jump(HOUR_MS)
    expect(() => source.current()).toThrowCode('SVID_EXPIRED')
    expect(source.health.status).toBe('expired')
    clock.jump(-HOUR_MS)
    expect(source.current().svid.spiffeId.path).toBe('/web')
  })

  test('the first end in the chain counts', async () => {
    const intermediate = await home.intermediate({ notAfter: new Date(start.getTime() + HOUR_MS / 2) })
    const svid = await intermediate.issue('/web')
    await using source = await open([[message(svid), silence]])
    await clock.advance(HOUR_MS / 2)
    expect(() => source.current()).toThrowCode('SVID_EXPIRED')
  })

  test('WE-19: when asking again is of no use it keeps what it has until the end of that', async () => {
    await using source = await open([[message(web), new RpcError('INVALID_ARGUMENT', 'x')]])
    await settled()
    expect(source.health.status).toBe('failed')
    expect(source.current().svid.spiffeId.path).toBe('/web')
    await clock.advance(HOUR_MS)
    expect(() => source.current()).toThrowCode('SVID_EXPIRED')
  })

  test('once closed refuses everything and asks for nothing more', async () => {
    const { agent, client } = clientOf([message(web), silence])
    const source = await X509Source.open({ client })
    let changes = 0
    source.onChange(() => changes++)
    await source.close()
    await source.close()
    expect(changes).toBe(0)
    expect(() => source.current()).toThrowCode('SOURCE_CLOSED')
    expect(source.health.status).toBe('closed')
    expect(agent.calls[0]?.options.signal?.aborted).toBe(true)
    // The client belongs to whoever opened it.
    expect(agent.closed).toBe(false)
  })
})

describe('revocation lists', () => {
  const withCrl = (...crl: readonly Buffer[]) => ({ ...message(web), crl })
  const verify = (source: X509Source, { chain }: TestSvid) =>
    verifyX509Svid(chain, source.current().bundles, start, cryptography)

  test('X5-39: are applied where revocation is checked, and passed over elsewhere', async () => {
    const list = await testCrl(home, { revoked: [api.certificate.serialNumber] })
    await using checking = await open([[withCrl(list), silence]], { checkRevocation: true })
    await expect(verify(checking, api)).rejects.toThrowCode('CERTIFICATE_REVOKED')
    expect((await verify(checking, web)).spiffeId.path).toBe('/web')
    await using other = await open([[withCrl(list), silence]])
    expect((await verify(other, api)).spiffeId.path).toBe('/api')
  })

  test('X5-39: one that is malformed is reported, and what was held before stays in force', async () => {
    const list = await testCrl(home, { revoked: [api.certificate.serialNumber] })
    const script = [withCrl(list), withCrl(Buffer.from('garbage')), silence]
    await using source = await open([script], { checkRevocation: true })
    await settled()
    expect(source.health).toMatchObject({ status: 'degraded', error: { code: 'CRL_INVALID' } })
    await expect(verify(source, api)).rejects.toThrowCode('CERTIFICATE_REVOKED')
  })

  test('X5-39: a newer list takes the place of the one before', async () => {
    const { wait, come } = later()
    const list = await testCrl(home, { revoked: [api.certificate.serialNumber] })
    const script = [withCrl(), wait, withCrl(list), silence]
    await using source = await open([script], { checkRevocation: true })
    expect((await verify(source, api)).spiffeId.path).toBe('/api')
    await come()
    await expect(verify(source, api)).rejects.toThrowCode('CERTIFICATE_REVOKED')
  })

  test('bundles that have not changed stay the same objects, so that verdicts stay known', async () => {
    const [first, second] = [later(), later()]
    const renewed = await TestAuthority.create({ now: start })
    const rotated = x509MessageOf([
      { ...svidMessageOf(web, home), bundle: Buffer.concat([home.certificate.der, renewed.certificate.der]) },
    ])
    await using source = await open([[message(web), first.wait, message(api), second.wait, rotated, silence]])
    const bundle = source.current().bundles.get('example.org')
    await first.come()
    expect(source.current().bundles.get('example.org')).toBe(bundle)
    await second.come()
    expect(source.current().bundles.get('example.org')?.x509Authorities).toHaveLength(2)
  })
})

describe('watch()', () => {
  test('yields the state of now and later ones, and ends when the source is closed', async () => {
    const { wait, come } = later()
    const source = await open([[message(web), wait, message(api, web), silence]])
    const seen: (string | undefined)[] = []
    const watching = (async () => {
      for await (const { svid, svids, revision } of source.watch()) {
        seen.push(`${revision} ${svid?.spiffeId.path} of ${svids.length}`)
      }
    })()
    await settled()
    await come()
    await source.close()
    await watching
    expect(seen).toEqual(['1 /web of 1', '2 /api of 2'])
  })

  test('a slow reader gets the newest state, and nothing is queued for it', async () => {
    const { wait, come } = later()
    const many = Array.from({ length: 50 }, (_, index) => message(index % 2 === 0 ? api : web))
    await using source = await open([[message(web), wait, ...many, message(api), silence]])
    const states = source.watch()
    expect((await states.next()).value?.revision).toBe(1)
    await come()
    expect((await states.next()).value?.revision).toBe(52)
    await states.return(undefined)
  })

  test('ends with the reason of its signal, and the source goes on', async () => {
    await using source = await open([[message(web), silence]])
    const stop = new AbortController()
    const states = source.watch(stop.signal)
    await states.next()
    const next = states.next()
    stop.abort(new Error('enough'))
    await expect(next).rejects.toThrow('enough')
    expect(source.health.status).toBe('current')
  })

  test('throws what made asking again useless', async () => {
    await using source = await open([[message(web), new RpcError('UNIMPLEMENTED', 'x')]])
    const states = source.watch()
    await states.next()
    await expect(states.next()).rejects.toThrowCode('METHOD_UNIMPLEMENTED')
  })
})
