import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createSecureContext, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Enforcer } from '../../src/enforce/enforcer.ts'
import type { Decision } from '../../src/policy/decision.ts'
import type { X509Svid } from '../../src/svid/x509-svid.ts'
import { contextOptions } from '../../src/tls/tls-options.ts'
import { protect } from '../../src/tls/tls-server.ts'
import { PolicyAgent } from '../fakes/policy-agent.ts'
import { heldSvid, TestSource } from '../fakes/test-source.ts'
import { until } from '../fakes/until.ts'
import { acme, idOf, rowsOf } from '../src/policy/acme.ts'
import { authority, callAs, EnforcedService, httpsService, svidOf } from './enforced-service.ts'
import { run, RunningProcess } from './processes.ts'
import { describeUnless, missing } from '../unless.ts'

// What TLS itself offers to get past an enforcement point: data before the handshake, and a second handshake after it.

const storefront = '/ns/web/sa/storefront'

describeUnless(missing('openssl'), 'zones.md §5 0-RTT data', () => {
  let folder: string
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sallyport-early-'))
    const write = (name: string, svid: X509Svid): void => {
      const { key, cert } = contextOptions(svid)
      writeFileSync(join(folder, `${name}.key`), key)
      writeFileSync(join(folder, `${name}.pem`), cert)
    }
    write('client', await svidOf(storefront))
    write('server', await svidOf('/ns/shop/sa/orders'))
  })
  afterAll(() => rmSync(folder, { recursive: true }))

  const presenting = (name: string) => ['-cert', join(folder, `${name}.pem`), '-key', join(folder, `${name}.key`)]
  const dialing = (port: number) => [
    ...['s_client', '-connect', `127.0.0.1:${port}`, '-tls1_3', '-noservername', '-alpn', 'http/1.1'],
    ...presenting('client'),
  ]

  /** A session that allows early data, from a server that is less careful. */
  async function sessionFile(): Promise<string> {
    const file = join(folder, 'session.pem')
    rmSync(file, { force: true })
    const args = ['s_server', '-accept', '127.0.0.1:0', '-tls1_3', '-alpn', 'http/1.1', '-early_data']
    await using server = new RunningProcess('openssl', [...args, ...presenting('server')])
    const [, port] = await server.printed(/^ACCEPT .*:(\d+)$/m)
    await using client = new RunningProcess('openssl', [...dialing(Number(port)), '-sess_out', file])
    // It writes the file when the ticket comes, a moment after the handshake.
    await until(() => existsSync(file) && readFileSync(file, 'utf8').includes('-----END'), 'a session')
    client.child.stdin?.write('Q\n')
    await client.exited
    expect(client.stdout).toMatch(/Max Early Data: [1-9]/)
    return file
  }

  test('is refused with its session: what was sent early reaches nobody, and the handshake is a whole one', async () => {
    const seen: string[] = []
    const server = httpsService((request, response) => {
      seen.push(request.url ?? '')
      response.end('served')
    })
    const decided: Decision[] = []
    await using service = await EnforcedService.start(server, { onDecision: (decision) => decided.push(decision) })
    const early = join(folder, 'early.txt')
    writeFileSync(early, 'GET /v1/orders/666 HTTP/1.1\r\nHost: orders.shop.svc\r\n\r\n')
    const args = ['-sess_in', await sessionFile(), '-early_data', early, '-ign_eof']
    const input = 'GET /v1/orders/1 HTTP/1.1\r\nHost: orders.shop.svc\r\nConnection: close\r\n\r\n'
    const { stdout, stderr } = await run('openssl', [...dialing(service.port), ...args], { input })
    expect(stdout, stderr).toContain('Early data was rejected')
    // A whole handshake: with its certificate, by which the policy then decides.
    expect(stdout).toMatch(/^New, TLSv1\.3/m)
    expect(stdout).toContain('served')
    expect(seen).toEqual(['/v1/orders/1'])
    expect(new Set(decided.map(({ src, decision }) => `${decision} ${src.id}`))).toEqual(
      new Set([`allow ${idOf(storefront)}`]),
    )
  })

  test('of somebody without a certificate of its own is refused with the connection', async () => {
    const seen: string[] = []
    await using service = await EnforcedService.start(httpsService((request) => void seen.push(request.url ?? '')))
    const early = join(folder, 'early-too.txt')
    writeFileSync(early, 'GET /v1/orders/666 HTTP/1.1\r\nHost: orders.shop.svc\r\n\r\n')
    const nobody = dialing(service.port).filter((argument) => !/^-(cert|key)$|client\.(pem|key)$/.test(argument))
    const args = ['-sess_in', await sessionFile(), '-early_data', early, '-ign_eof']
    const { stdout } = await run('openssl', [...nobody, ...args], { input: 'GET /v1/orders/1 HTTP/1.1\r\n\r\n' })
    expect(stdout).not.toContain('Early data was accepted')
    expect(seen).toEqual([])
    await until(() => service.agent.records.length > 0)
    expect(service.agent.records).toMatchObject([{ deniedBy: 'identity', code: 'NO_PEER_IDENTITY', src: { id: null } }])
  })
})

describe('zones.md §5 renegotiation', () => {
  /** A service for old callers: it takes TLS 1.2 too. */
  async function oldService() {
    const [agent, path] = [new PolicyAgent(), '/ns/shop/sa/orders']
    agent.apply(acme, rowsOf(acme), idOf(path))
    const policy = await agent.open()
    const home = await authority()
    const source = new TestSource(await heldSvid(home, path), home.bundle())
    const seen: string[] = []
    const server = createServer({ ALPNProtocols: ['http/1.1'] }, (request: IncomingMessage, response) => {
      seen.push(request.url ?? '')
      response.end('served')
    })
    const decided: Decision[] = []
    const enforcer = new Enforcer(source, {
      ...{ service: 'orders', policy, port: 8443 },
      onDecision: (decision) => decided.push(decision),
    })
    protect(server, source, { ...enforcer.serverOptions, minVersion: 'TLSv1.2' })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    return {
      ...{ port, seen, decided, enforcer },
      async [Symbol.asyncDispose]() {
        for (const connection of enforcer.connections) connection.destroy('shutdown')
        server.close()
        enforcer[Symbol.dispose]()
        await policy.close()
      },
    }
  }

  /** As an old client does it: without the options by which ours refuses to begin again. */
  async function dial(port: number, svid: X509Svid): Promise<TLSSocket> {
    const { key, cert } = contextOptions(svid)
    const secureContext = createSecureContext({ key, cert, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' })
    const socket = connect({
      ...{ host: '127.0.0.1', port, ALPNProtocols: ['http/1.1'], secureContext, rejectUnauthorized: false },
    })
    socket.on('error', () => {})
    await once(socket, 'secureConnect')
    return socket
  }

  const renegotiate = (socket: TLSSocket): Promise<Error | undefined> =>
    new Promise((resolve) => {
      socket.once('error', resolve)
      socket.once('close', () => resolve(new Error('closed')))
      socket.renegotiate({ rejectUnauthorized: false }, (error) => resolve(error ?? undefined))
    })

  test('of an open connection is refused: who it belongs to stays what the policy was asked about', async () => {
    await using service = await oldService()
    const socket = await dial(service.port, await svidOf(storefront))
    expect(socket.getProtocol()).toBe('TLSv1.2')
    await until(() => service.enforcer.connections.size === 1)
    expect(await renegotiate(socket)).toBeInstanceOf(Error)
    await until(() => socket.destroyed || service.enforcer.connections.size === 0)
    expect(service.seen).toEqual([])
    // Others are served as before.
    const other = await dial(service.port, await svidOf(storefront))
    expect(await callAs(await svidOf(storefront), service.port, { socket: other })).toMatchObject({ status: 200 })
    expect(new Set(service.decided.map(({ src }) => src.id))).toEqual(new Set([idOf(storefront)]))
  })

  test('after a request is refused too, and no second one is served on that connection', async () => {
    await using service = await oldService()
    const socket = await dial(service.port, await svidOf(storefront))
    const head = 'Host: orders.shop.svc\r\n\r\n'
    const answered = once(socket, 'data')
    socket.write(`GET /v1/orders/1 HTTP/1.1\r\n${head}`)
    expect(String(await answered)).toContain('200 OK')
    expect(await renegotiate(socket)).toBeInstanceOf(Error)
    socket.write(`GET /v1/orders/2 HTTP/1.1\r\n${head}`)
    await until(() => socket.destroyed || service.enforcer.connections.size === 0)
    expect(service.seen).toEqual(['/v1/orders/1'])
  })

  test('cannot be asked for at all where nobody has turned on TLS 1.2', async () => {
    await using service = await EnforcedService.start(httpsService())
    const failed = dial(service.port, await svidOf(storefront))
    await expect(failed).rejects.toThrow(/protocol version/)
  })
})
