import { mkdtempSync, rmSync } from 'node:fs'
import { request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { OperationsHttp, openOperationsHttp, type OperationsHttpOptions } from '../../../src/process/operations-http.ts'
import { SallyportError } from '../../../src/errors.ts'
import { silentLog } from '../../../src/log/log.ts'
import { MetricRegistry } from '../../../src/metrics/registry.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-http-'))
})
afterAll(() => rmSync(folder, { recursive: true }))

const get = (socketPath: string, path: string, method = 'GET'): Promise<{ status: number | undefined; body: string }> =>
  new Promise((resolve, reject) => {
    const call = request({ socketPath, path, method }, async (response) => {
      const chunks = await Array.fromAsync(response as AsyncIterable<Buffer>)
      resolve({ status: response.statusCode, body: Buffer.concat(chunks).toString() })
    })
    call.on('error', reject).end()
  })

const metrics = new MetricRegistry()
metrics.counter('sallyport_test_total', 'A test.').add()

const options = (path: string, fields: Partial<OperationsHttpOptions> = {}): OperationsHttpOptions => ({
  ...{ address: { path }, serves: { health: true, metrics: true }, live: [], ready: [], metrics, log: silentLog },
  ...fields,
})

describe('the HTTP listener', () => {
  test('tells whether the server lives, is ready, and what it counts', async () => {
    const path = join(folder, 'a.sock')
    let problem: SallyportError | undefined
    const ready = [{ name: 'x', check: () => (problem === undefined ? undefined : Promise.reject(problem)) }]
    await using _http = await OperationsHttp.open(options(path, { ready }))
    expect((await get(path, '/live')).status).toBe(200)
    expect(await get(path, '/ready')).toEqual({ status: 200, body: '{"ok":true,"checks":{"x":"ok"}}\n' })
    problem = new SallyportError('NOT_READY', 'not yet')
    expect((await get(path, '/ready?verbose')).status).toBe(503)
    expect((await get(path, '/metrics')).body).toContain('sallyport_test_total 1')
    expect((await get(path, '/other')).status).toBe(404)
    expect((await get(path, '/live', 'POST')).status).toBe(405)
  })

  test('serves only what it was asked to serve', async () => {
    const path = join(folder, 'b.sock')
    await using _http = await OperationsHttp.open(options(path, { serves: { health: true, metrics: false } }))
    expect((await get(path, '/metrics')).status).toBe(404)
  })

  test('says so when its address is taken', async () => {
    const path = join(folder, 'c.sock')
    await using _http = await OperationsHttp.open(options(path))
    const second = await OperationsHttp.open(options(path)).catch((error: unknown) => error)
    expect(second).toThrowCode('SOCKET_IN_USE', path)
  })
})

describe('openOperationsHttp()', () => {
  const given = { live: [], ready: [], metrics, log: silentLog }
  const statuses = async (path: string) => [(await get(path, '/live')).status, (await get(path, '/metrics')).status]

  test('listens once where health and metrics share an address', async () => {
    const path = join(folder, 'both.sock')
    await using parts = new AsyncDisposableStack()
    const listen = `unix:${path}`
    const ports = await openOperationsHttp({ health: { listen }, metrics: { listen } }, given, parts)
    expect(ports).toEqual({ health: undefined, metrics: undefined })
    expect(await statuses(path)).toEqual([200, 200])
  })

  test('keeps them apart where each has its own, until it is closed', async () => {
    const [health, metricsPath] = [join(folder, 'health.sock'), join(folder, 'metrics.sock')]
    const parts = new AsyncDisposableStack()
    const sections = { health: { listen: `unix:${health}` }, metrics: { listen: `unix:${metricsPath}` } }
    await openOperationsHttp(sections, given, parts)
    expect(await statuses(health)).toEqual([200, 404])
    expect(await statuses(metricsPath)).toEqual([404, 200])
    await parts.disposeAsync()
    await expect(get(health, '/live')).rejects.toThrow()
  })

  test('listens nowhere unless it is told where', async () => {
    await using parts = new AsyncDisposableStack()
    const ports = await openOperationsHttp({ health: {}, metrics: {} }, given, parts)
    expect(ports).toEqual({ health: undefined, metrics: undefined })
  })

  test('says which port was free', async () => {
    await using parts = new AsyncDisposableStack()
    const { health, metrics: none } = await openOperationsHttp(
      { health: { listen: '127.0.0.1:0' }, metrics: {} },
      given,
      parts,
    )
    expect(health).toBeGreaterThan(0)
    expect(none).toBeUndefined()
  })
})
