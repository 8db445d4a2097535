import { createPrivateKey } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseJoinString } from '../../src/config/join-string.ts'
import { House } from './house.ts'
import { workloadClient } from './stock-clients.ts'

// Where keys and tokens are found after everything has been used, and where they are not.

interface X509Response {
  readonly svids: readonly { readonly x509Svid: Buffer; readonly x509SvidKey: Buffer }[]
}

interface WitResponse {
  readonly svids: readonly { readonly witSvidKey: string }[]
}

const WIT = 'experimental: {witSvid: true}'

let house: House
let memory: string
/** The secret numbers of every key that a workload was given. */
const secrets: Buffer[] = []
/** Those of its WIT-SVIDs. */
const witSecrets: Buffer[] = []

beforeAll(async () => {
  memory = mkdtempSync('/dev/shm/sallyport-e2e-')
  house = await House.open({ runtimeDir: memory, serverYaml: WIT, agentYaml: WIT })
  await house.register('/secret/a', '--x509-ttl', '2s')
  await house.register('/secret/b')
  using client = workloadClient(house)
  using stream = client.stream<X509Response>('FetchX509SVID')
  // The first SVIDs, and those of some renewals.
  for (let count = 0; count < 5; count++) {
    for (const { x509SvidKey } of (await stream.next()).svids) {
      const { d } = createPrivateKey({ key: x509SvidKey, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' })
      secrets.push(Buffer.from(String(d), 'base64url'))
    }
  }
  using wits = client.stream<WitResponse>('FetchWITSVID')
  for (let count = 0; count < 3; count++) {
    for (const { witSvidKey } of (await wits.next()).svids) {
      witSecrets.push(Buffer.from((JSON.parse(witSvidKey) as { readonly d: string }).d, 'base64url'))
    }
  }
  await client.call('FetchJWTSVID', { audience: ['orders'] })
  // Both save what they have a moment later.
  await sleep(1000)
})

afterAll(async () => {
  await house?.[Symbol.asyncDispose]()
  rmSync(memory, { recursive: true, force: true })
})

const filesIn = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((path) => statSync(path).isFile())

/** Are these bytes in those: as they are, in hex, or inside anything that is base64? */
function holds(content: Buffer, raw: Buffer): boolean {
  if (content.includes(raw)) return true
  const text = content.toString('latin1')
  if (text.toLowerCase().includes(raw.toString('hex'))) return true
  return [...text.matchAll(/[A-Za-z0-9+/_-]{40,}/g)].some(([run]) => {
    // A run may begin in the middle of what was encoded.
    return [0, 1, 2, 3].some((skip) => Buffer.from(run.slice(skip), 'base64').includes(raw))
  })
}

const keysIn = (folder: string, keys: readonly Buffer[]): string[] =>
  filesIn(folder).filter((path) => {
    const content = readFileSync(path)
    return keys.some((secret) => holds(content, secret))
  })

test('SE-21 no key of a workload is in the folders of server and agent, nor in what they print', () => {
  expect(secrets.length).toBeGreaterThan(5)
  expect(filesIn(house.path('server')).length).toBeGreaterThan(4)
  expect(filesIn(house.path('agent')).length).toBeGreaterThan(3)
  expect(witSecrets.length).toBeGreaterThan(3)
  const all = [...secrets, ...witSecrets]
  expect(keysIn(house.folder, all)).toEqual([])
  for (const process of [house.server!, house.agent!]) {
    const printed = Buffer.from(process.stdout + process.stderr)
    expect(all.filter((secret) => holds(printed, secret))).toEqual([])
  }
})

test('SE-21 the folder in memory has them, for its owner alone: so the scan finds what is there', () => {
  const found = keysIn(memory, secrets)
  expect(found).toHaveLength(1)
  for (const path of found) expect(statSync(path).mode & 0o777).toBe(0o600)
})

test('SE-21 SV-12 the key of a WIT-SVID is in no file at all', () => {
  expect(keysIn(memory, witSecrets)).toEqual([])
})

test('SE-13 the join token is in no file but the one that was handed over, and in no log', () => {
  const { token } = parseJoinString(readFileSync(house.path('agent/private/join.txt'), 'utf8'))
  const holding = filesIn(house.folder).filter((path) => holds(readFileSync(path), Buffer.from(token)))
  expect(holding).toEqual([house.path('agent/private/join.txt')])
  const printed = [house.server!, house.agent!].map((process) => process.stdout + process.stderr).join('')
  expect(printed).not.toContain(token)
})

test('everything that is kept is for its owner alone', () => {
  for (const folder of ['server/data', 'agent/private']) {
    expect(statSync(house.path(folder)).mode & 0o077).toBe(0)
    for (const path of filesIn(house.path(folder))) expect([path, statSync(path).mode & 0o077]).toEqual([path, 0])
  }
})
