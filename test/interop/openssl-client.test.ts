import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { memberOf } from '../../src/id/matcher.ts'
import { TestAuthority } from '../../src/testing/test-authority.ts'
import { printPem } from '../../src/x509/pem.ts'
import { run } from '../e2e/processes.ts'
import { heldSvid, TestSource } from '../fakes/test-source.ts'
import { type SdkServer, serveSdk } from './sdk-peers.ts'
import { describeUnless, missing } from '../unless.ts'

// What a client that is not ours may ask a server of the SDK for, apart from being somebody: `tls-table.ts` has that.

describeUnless(missing('openssl'), 'openssl s_client and a server', () => {
  let folder: string
  let server: SdkServer

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'sallyport-openssl-'))
    const home = await TestAuthority.create()
    const { chain, keyPair } = await home.issue('/web')
    writeFileSync(join(folder, 'chain.pem'), printPem(chain))
    writeFileSync(join(folder, 'key.pem'), keyPair.privateKey.export({ type: 'pkcs8', format: 'pem' }))
    server = await serveSdk('tls', new TestSource(await heldSvid(home, '/db'), home.bundle()), memberOf('example.org'))
  })

  afterAll(() => {
    server?.[Symbol.dispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  const identity = (): string[] => ['-cert', join(folder, 'chain.pem'), '-key', join(folder, 'key.pem')]
  /** Connects and reads to the end. */
  const connect = async (...args: readonly string[]): Promise<string> => {
    server.refusals.length = 0
    const { stdout, stderr } = await run('openssl', [
      ...['s_client', '-ign_eof', '-connect', `127.0.0.1:${server.port}`],
      ...args,
    ])
    return stdout + stderr
  }

  test('X5-38 a client without certificate is refused, because it has none', async () => {
    expect(await connect('-tls1_3')).not.toContain('spiffe://example.org/web')
    expect(server.refusals[0]).toThrowCode('PEER_CERTIFICATE_MISSING')
  })

  test('TLS 1.2 is refused in the handshake', async () => {
    const printed = await connect('-tls1_2', ...identity())
    expect(printed).toMatch(/alert protocol version/)
    expect(printed).not.toContain('spiffe://example.org/web')
    expect(server.refusals).toHaveLength(1)
  })

  test('NT-11 a session that a client has saved is no way past the verification: its certificate is asked for again', async () => {
    const session = join(folder, 'session.pem')
    expect(await connect('-tls1_3', ...identity(), '-sess_out', session)).toContain('spiffe://example.org/web')
    expect(existsSync(session)).toBe(true)
    const again = await connect('-tls1_3', ...identity(), '-sess_in', session)
    expect(again).toMatch(/New, TLSv1\.3/)
    expect(again).not.toMatch(/Reused/)
    expect(again).toContain('spiffe://example.org/web')
    expect(await connect('-tls1_3', '-sess_in', session)).not.toContain('spiffe://example.org/web')
    expect(server.refusals[0]).toThrowCode('PEER_CERTIFICATE_MISSING')
  })
})
