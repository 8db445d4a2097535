import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { printedPages } from '../../docs/print.ts'
import { foreignBundle } from './foreign-bundle.ts'
import { House } from './house.ts'

const folder = mkdtempSync(join(tmpdir(), 'sallyport-metrics-'))
const socketOf = (part: 'server' | 'agent'): string => join(folder, `${part}.sock`)
let house: House

beforeAll(async () => {
  house = await House.open({
    serverYaml: `metrics: {listen: "unix:${socketOf('server')}"}`,
    agentYaml: `metrics: {listen: "unix:${socketOf('agent')}"}`,
  })
  await house.register('/me')
})

afterAll(async () => {
  await house?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

const scrape = (part: 'server' | 'agent'): Promise<string> =>
  new Promise((resolve, reject) => {
    const asked = request({ socketPath: socketOf(part), path: '/metrics' }, (response) => {
      resolve(text(response))
    })
    asked.on('error', reject).end()
  })

/** The samples by name and labels, as Prometheus' text format has them. */
async function samples(part: 'server' | 'agent'): Promise<ReadonlyMap<string, number>> {
  const lines = (await scrape(part)).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const [, series = line, value = ''] = /^([a-z0-9_]+(?:\{[^}]*\})?) (\S+)$/.exec(line) ?? []
      expect(Number.isFinite(Number(value)), line).toBe(true)
      return [series, Number(value)]
    }),
  )
}

const namesIn = (page: string): string[] => [...page.matchAll(/^\| `([a-z0-9_]+)`/gm)].map(([, name = '']) => name)

describe('/metrics', () => {
  test.for(['server', 'agent'] as const)('of the %s: what docs/metrics.md lists, no more and no less', async (part) => {
    const [, server = '', agent = ''] = (printedPages().get('metrics.md') ?? '').split(/^## .*$/m)
    const printed = [...(await scrape(part)).matchAll(/^# TYPE (\S+) (counter|gauge|histogram)$/gm)]
    const listed = namesIn(part === 'server' ? server : agent).filter((name) => name !== 'sallyport_agent_wit_svids')
    expect(new Set(printed.map(([, name]) => name))).toEqual(new Set(listed))
  })

  test.for(['server', 'agent'] as const)('of the %s: each series once', async (part) => {
    const series = (await scrape(part)).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
    expect(series.length).toBeGreaterThan(20)
    expect(new Set(series.map((line) => line.replace(/ \S+$/, ''))).size).toBe(series.length)
  })

  test('tell what was issued, and of the process what every program tells', async () => {
    const before = (await samples('server')).get('sallyport_server_issued_total{kind="x509"}') ?? 0
    const entries = (await samples('agent')).get('sallyport_agent_entries') ?? NaN
    await house.register('/another')
    await expect
      .poll(async () => (await samples('server')).get('sallyport_server_issued_total{kind="x509"}'))
      .toBeGreaterThan(before)
    const all = await samples('agent')
    expect(all.get('sallyport_agent_entries')).toBe(entries + 1)
    expect(all.get('process_resident_memory_bytes')).toBeGreaterThan(10_000_000)
    expect(all.get('process_start_time_seconds')).toBeLessThan(Date.now() / 1000)
  })

  test('BM-08 give the sequence of each trust domain, so that a bundle can be followed to the nodes', async () => {
    const set = async (sequence: number): Promise<void> => {
      const document = JSON.parse(await foreignBundle('partner.test', 'both')) as object
      writeFileSync(house.path('partner.json'), JSON.stringify({ ...document, spiffe_sequence: sequence }))
      await house.json('bundle', 'set', 'partner.test', '--file', house.path('partner.json'))
    }
    await set(7)
    await house.register('/partnered', '--federates-with', 'partner.test')
    const figure = async (part: 'server' | 'agent', trustDomain: string): Promise<number | undefined> =>
      (await samples(part)).get(`sallyport_${part}_bundle_sequence{trust_domain="${trustDomain}"}`)
    await expect.poll(() => figure('agent', 'partner.test')).toBe(7)
    expect(await figure('server', 'partner.test')).toBe(7)
    expect(await figure('agent', 'example.org')).toBe(await figure('server', 'example.org'))
    await set(8)
    await expect.poll(() => figure('agent', 'partner.test')).toBe(8)
  })
})
