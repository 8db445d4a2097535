import { chmodSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openChannel } from '../../src/wire/channel.ts'
import { spiffeWorkloadApiService, type X509SvidResponse } from '../../src/wire/messages/spiffe-workload.ts'
import { House } from './house.ts'
import { RunningProcess } from './processes.ts'
import { describeUnless, notRoot } from '../unless.ts'

const metadata = { 'workload.spiffe.io': 'true' }
const STRANGER = 64_999

/** Opens streams over as many connections as it is given, and never reads what comes. */
const flood = `
const { connect, constants } = require('node:http2')
const net = require('node:net')
const [path, connections, streams] = [process.argv[1], Number(process.argv[2]), Number(process.argv[3])]
for (let i = 0; i < connections; i++) {
  const session = connect('http://localhost', { createConnection: () => net.connect(path), settings: { initialWindowSize: 0 } })
  session.on('error', () => {})
  for (let j = 0; j < streams; j++) {
    const stream = session.request({ ':method': 'POST', ':path': '/SpiffeWorkloadAPI/FetchX509SVID', 'content-type': 'application/grpc', te: 'trailers', 'workload.spiffe.io': 'true' })
    stream.on('error', () => {})
    stream.pause()
    stream.end(Buffer.alloc(5))
  }
}
console.log('flooding')
setInterval(() => {}, 1000)
`

async function firstSvid(house: House): Promise<{ readonly ms: number; readonly response: X509SvidResponse }> {
  await using channel = openChannel({ address: { unix: house.agentSocket } })
  const start = performance.now()
  for await (const response of channel.client(spiffeWorkloadApiService).fetchX509Svid({}, { metadata })) {
    return { ms: performance.now() - start, response }
  }
  throw new Error('the stream ended')
}

describeUnless(notRoot, 'an agent that one user floods', () => {
  test.for([
    ['5,000 streams', 10, 500],
    ['1,000 connections that never read', 1000, 1],
  ] as const)(
    'SE-04 with %s: another user has its SVID within a second, and SIGTERM ends it in five',
    async ([, connections, streams]) => {
      await using house = await House.open()
      for (const folder of ['.', 'agent']) chmodSync(house.path(folder), 0o755)
      await house.register('/calm')
      await house.register('/flooded', '--selector', `unix:uid:${STRANGER}`)
      await firstSvid(house)
      await using flooder = new RunningProcess(
        process.execPath,
        ['-e', flood, house.agentSocket, String(connections), String(streams)],
        { uid: STRANGER, gid: STRANGER },
      )
      await flooder.printed(/flooding/)
      for (let round = 0; round < 5; round++) expect((await firstSvid(house)).ms).toBeLessThan(1000)
      const start = performance.now()
      expect(await house.agent!.stop()).toBe(0)
      expect(performance.now() - start).toBeLessThan(5000)
    },
  )
})

describe('the data folder of an agent', () => {
  test('SE-21 holds no private key of a workload', async () => {
    await using house = await House.open()
    await house.register('/a')
    await house.register('/b')
    const { response } = await firstSvid(house)
    expect(response.svids.length).toBeGreaterThan(0)
    await house.agent!.stop()
    const folder = house.path('agent/private/data')
    const files = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((file) => file.isFile())
      .map(({ parentPath, name }) => readFileSync(join(parentPath, name)))
    expect(files.length).toBeGreaterThan(0)
    for (const { x509SvidKey } of response.svids) {
      // The last bytes of PKCS#8 are the point; the scalar lies before it.
      const secret = x509SvidKey.subarray(36, 68)
      for (const content of files) {
        expect(content.includes(secret)).toBe(false)
        expect(content.includes(x509SvidKey.toString('base64').slice(48, 88))).toBe(false)
      }
    }
  })
})
