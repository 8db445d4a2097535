import { chmodSync } from 'node:fs'
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2'
import { connect } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { House } from './house.ts'
import { runSallyport, type Finished } from './processes.ts'
import { workloadClient } from './stock-clients.ts'
import { describeUnless, notRoot } from '../unless.ts'

// Several users at one agent. Only root can be several users.

const OTHER_UID = 65_534

describeUnless(notRoot, 'an agent of several users', () => {
  let house: House

  beforeAll(async () => {
    house = await House.open()
    for (const folder of [house.folder, house.path('agent'), house.path('server')]) chmodSync(folder, 0o755)
    await house.register('/user/root')
    await house.register('/user/other', '--selector', `unix:uid:${OTHER_UID}`)
  })

  afterAll(async () => house?.[Symbol.asyncDispose]())

  const asOther = (...args: readonly string[]): Promise<Finished> => {
    const { serverSocket, endpoint, agentAdminSocket } = house
    const places = [
      '--server-socket',
      serverSocket,
      '--agent-socket',
      endpoint,
      '--agent-admin-socket',
      agentAdminSocket,
    ]
    return runSallyport([...places, '--output', 'json', ...args], { uid: OTHER_UID, gid: OTHER_UID })
  }

  test('WE-14 gives each user the identities of its own processes alone', async () => {
    const other = await asOther('fetch', 'x509')
    expect(other).toMatchObject({ code: 0, stdout: expect.stringContaining('/user/other') })
    expect(other.stdout).not.toContain('/user/root')
    expect((await house.cli('--output', 'json', 'fetch', 'x509')).stdout).not.toContain('/user/other')
  })

  test('SE-05 the admin sockets are closed to others, whatever the folders above allow', async () => {
    expect((await asOther('entry', 'list')).code).not.toBe(0)
    expect((await asOther('status', '--of', 'agent')).code).not.toBe(0)
  })

  test('SE-05 a user is told about its own processes, and nothing about others', async () => {
    const { code, stdout, stderr } = await asOther('explain', '--pid', String(process.pid))
    expect(code).not.toBe(0)
    expect(stdout + stderr).not.toContain('/user/root')
    expect((await house.cli('explain', '--pid', String(process.pid))).stdout).toContain('/user/root')
  })

  test('SE-04 a user with streams that it never reads does not keep others waiting, nor the end of the agent', async () => {
    const before = performance.now()
    await asOther('fetch', 'x509')
    const usualMs = performance.now() - before
    const sessions: ClientHttp2Session[] = []
    for (let connection = 0; connection < 25; connection++) {
      const session = connectHttp2('http://localhost', { createConnection: () => connect(house.agentSocket) })
      session.on('error', () => undefined)
      sessions.push(session)
      for (let count = 0; count < 60; count++) {
        const stream = session.request({
          ...{ ':method': 'POST', ':path': '/SpiffeWorkloadAPI/FetchX509SVID', te: 'trailers' },
          ...{ 'content-type': 'application/grpc', 'workload.spiffe.io': 'true' },
        })
        stream.on('error', () => undefined)
        stream.pause()
        stream.end(Buffer.alloc(5))
      }
    }
    const during = performance.now()
    expect(await asOther('fetch', 'x509')).toMatchObject({ code: 0, stdout: expect.stringContaining('/user/other') })
    expect(performance.now() - during).toBeLessThan(usualMs + 2_000)
    const ending = performance.now()
    expect(await house.agent?.stop('SIGTERM')).toBe(0)
    expect(performance.now() - ending).toBeLessThan(5_000)
    for (const session of sessions) session.destroy()
    await house.startAgent()
    using client = workloadClient(house)
    using stream = client.stream<{ svids: unknown[] }>('FetchX509SVID')
    expect((await stream.next()).svids).toHaveLength(1)
  })
})
