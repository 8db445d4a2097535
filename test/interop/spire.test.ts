import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { X509Source } from '../../src/workload/x509-source.ts'
import { cleanEnvironment, freePort, run, RunningProcess, sallyport } from '../e2e/processes.ts'
import { House } from '../e2e/house.ts'
import { agentProgram, isHealthy, renewed, serverProgram, SpireAgent } from './spire-programs.ts'
import { unbuilt } from './spire/build.ts'
import { describeUnless } from '../unless.ts'

// SPIRE's own programs, unchanged, beside ours. `npm run test:spire` builds them first.
describeUnless(unbuilt, 'The programs of SPIRE', () => {
  let house: House
  const uid = process.getuid?.() ?? 0

  beforeAll(async () => {
    house = await House.open()
  })

  afterAll(async () => house?.[Symbol.asyncDispose]())

  const said = async (program: string, socket: string, words: readonly string[]): Promise<string> => {
    const finished = await run(program, [...words, '-socketPath', socket])
    if (finished.code !== 0) throw new Error(`${words.join(' ')}: ${finished.stdout}${finished.stderr}`)
    return finished.stdout
  }
  const server = (...words: readonly string[]): Promise<string> => said(serverProgram, house.serverSocket, words)
  const agent = (...words: readonly string[]): Promise<string> => said(agentProgram, house.agentSocket, words)
  const json = async <T>(...words: readonly string[]): Promise<T> =>
    JSON.parse(await server(...words, '-output', 'json')) as T

  describe('spire-server manages this server', () => {
    test('healthcheck', async () => {
      expect(await server('healthcheck')).toContain('Server is healthy')
    })

    test('entry create, show, count, update and delete', async () => {
      const id = 'spiffe://example.org/by-cli'
      const created = await json<{ results: { entry: { id: string } }[] }>(
        ...['entry', 'create', '-spiffeID', id, '-parentID', house.nodeId, '-selector', `unix:uid:${uid}`],
        ...['-x509SVIDTTL', '600', '-dns', 'cli.internal', '-hint', 'cli'],
      )
      const entryId = created.results[0]?.entry.id ?? ''
      const again = await run(serverProgram, [
        ...['entry', 'create', '-spiffeID', id, '-parentID', house.nodeId, '-selector', `unix:uid:${uid}`],
        ...['-socketPath', house.serverSocket],
      ])
      expect(again.code).toBe(1)
      expect(again.stderr + again.stdout).toMatch(/AlreadyExists|similar entry already exists/)
      const shown = await json<{ entries: object[] }>('entry', 'show', '-spiffeID', id)
      expect(shown.entries).toMatchObject([
        { id: entryId, x509_svid_ttl: 600, dns_names: ['cli.internal'], hint: 'cli' },
      ])
      expect(await server('entry', 'count', '-spiffeID', id)).toContain('1 registration entry')
      await server(
        ...['entry', 'update', '-entryID', entryId, '-spiffeID', id, '-parentID', house.nodeId],
        ...['-selector', `unix:uid:${uid}`, '-x509SVIDTTL', '900'],
      )
      const changed = await json<{ entries: object[] }>('entry', 'show', '-entryID', entryId)
      expect(changed.entries).toMatchObject([{ x509_svid_ttl: 900 }])
      expect(await server('entry', 'delete', '-entryID', entryId)).toContain('Deleted entry')
      expect(await server('entry', 'show', '-spiffeID', id)).toContain('Found 0 entries')
    })

    test('agent list, show, count; bundle show, set, list and delete', async () => {
      const { agents } = await json<{ agents: { id: { path: string } }[] }>('agent', 'list')
      expect(agents).toHaveLength(1)
      const id = `spiffe://example.org${agents[0]?.id.path}`
      expect(await server('agent', 'show', '-spiffeID', id)).toContain(id)
      expect(await server('agent', 'count')).toContain('1 attested agent')
      const bundle = await server('bundle', 'show', '-format', 'spiffe')
      writeFileSync(house.path('foreign.json'), bundle)
      await server(
        'bundle',
        'set',
        '-id',
        'spiffe://partner.test',
        '-format',
        'spiffe',
        '-path',
        house.path('foreign.json'),
      )
      expect(await server('bundle', 'list')).toContain('partner.test')
      expect(await server('bundle', 'delete', '-id', 'spiffe://partner.test')).toContain('bundle deleted')
    })

    test('x509 mint and jwt mint', async () => {
      mkdirSync(house.path('minted'))
      await server('x509', 'mint', '-spiffeID', 'spiffe://example.org/minted', '-write', house.path('minted'))
      const [svid, bundle] = [house.path('minted/svid.pem'), house.path('minted/bundle.pem')]
      expect(
        execFileSync('openssl', ['verify', '-x509_strict', '-CAfile', bundle, svid], { encoding: 'utf8' }),
      ).toContain('OK')
      const token = await server('jwt', 'mint', '-spiffeID', 'spiffe://example.org/minted', '-audience', 'orders')
      expect(token.trim().split('.')).toHaveLength(3)
    })
  })

  describe('spire-agent fetches from this agent', () => {
    beforeAll(async () => {
      await house.register('/fetched', '--hint', 'internal')
    })

    test('healthcheck, api fetch x509 with files that openssl verifies, api fetch jwt, api validate jwt', async () => {
      await isHealthy(agentProgram, house.agentSocket)
      mkdirSync(house.path('fetched'))
      expect(await agent('api', 'fetch', 'x509', '-write', house.path('fetched'))).toContain(
        'spiffe://example.org/fetched',
      )
      const [svid, bundle] = [house.path('fetched/svid.0.pem'), house.path('fetched/bundle.0.pem')]
      expect(execFileSync('openssl', ['verify', '-CAfile', bundle, svid], { encoding: 'utf8' })).toContain('OK')
      const fetched = JSON.parse(await agent('api', 'fetch', 'jwt', '-audience', 'orders', '-output', 'json')) as [
        { svids: { spiffe_id: string; svid: string }[] },
      ]
      const { spiffe_id: id, svid: token } = fetched[0].svids[0] ?? { spiffe_id: '', svid: '' }
      expect(id).toBe('spiffe://example.org/fetched')
      expect(await agent('api', 'validate', 'jwt', '-audience', 'orders', '-svid', token)).toContain('SVID is valid')
      const other = await run(agentProgram, [
        ...['api', 'validate', 'jwt', '-audience', 'other', '-svid', token, '-socketPath', house.agentSocket],
      ])
      expect(other.code).toBe(1)
    })
  })

  test('spire-agent joins this server, serves our SDK, renews, and comes back after a restart', async () => {
    const spire = new SpireAgent(house, 'by-spire', { format: 'pem', text: await house.bundlePem() })
    const entry = ['--parent', spire.nodeId, '--selector', `unix:uid:${uid}`, '--x509-ttl', '20s']
    await house.json('entry', 'create', '--spiffe-id', 'spiffe://example.org/of-spire', ...entry)

    const first = await spire.join(house)
    await isHealthy(agentProgram, spire.socket)
    const source = await X509Source.open({ endpoint: `unix:${spire.socket}`, timeoutMs: 60_000 })
    const before = source.current().svid
    expect(before.spiffeId.toString()).toBe('spiffe://example.org/of-spire')
    await renewed(source, before)
    const listed = await house.json<object[]>('agent', 'list')
    expect(listed).toHaveLength(2)
    await first.stop()

    await using _second = spire.start()
    await isHealthy(agentProgram, spire.socket)
    const { svid: last } = source.current()
    await renewed(source, last)
    await source[Symbol.asyncDispose]()
  }, 240_000)

  test('our agent joins spire-server, serves our SDK and renews', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-spire-'))
    using _folder = { [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) }
    const port = await freePort()
    const socket = join(folder, 'server.sock')
    writeFileSync(join(folder, 'server.conf'), serverConfiguration(folder, port))
    await using _server = new RunningProcess(serverProgram, ['run', '-config', join(folder, 'server.conf')], {
      env: cleanEnvironment(),
    })
    const spire = (...words: readonly string[]): Promise<string> => said(serverProgram, socket, words)
    await isHealthy(serverProgram, socket)
    const node = 'spiffe://example.org/node/ours'
    const { value: token } = JSON.parse(await spire('token', 'generate', '-spiffeID', node, '-output', 'json')) as {
      value: string
    }
    writeFileSync(join(folder, 'token.txt'), token, { mode: 0o600 })
    writeFileSync(join(folder, 'bundle.pem'), await spire('bundle', 'show'))
    const entry = ['-parentID', node, '-selector', `unix:uid:${uid}`, '-x509SVIDTTL', '30']
    await spire('entry', 'create', '-spiffeID', 'spiffe://example.org/by-spire', ...entry)

    const agentYaml = [
      'trustDomain: example.org',
      `server: { address: 127.0.0.1:${port} }`,
      'trustBundle: bundle.pem',
      'attestor: { joinTokenFile: token.txt }',
      'dataDir: data',
      'runtimeDir: private/runtime',
      'socket: api.sock',
      'adminSocket: private/admin.sock',
    ]
    mkdirSync(join(folder, 'private'), { mode: 0o700 })
    writeFileSync(join(folder, 'agent.yaml'), `${agentYaml.join('\n')}\n`)
    await using ours = sallyport(['agent', 'run', '--config', join(folder, 'agent.yaml')])
    await ours.printed(/"msg":"Agent ready"/)
    await using source = await X509Source.open({ endpoint: `unix:${join(folder, 'api.sock')}`, timeoutMs: 60_000 })
    const { svid: first } = source.current()
    expect(first.spiffeId.toString()).toBe('spiffe://example.org/by-spire')
    await renewed(source, first)
  }, 240_000)
})

/** As SPIRE's documentation has it. */
const serverConfiguration = (folder: string, port: number): string => `
server {
  bind_address = "127.0.0.1"
  bind_port = "${port}"
  socket_path = "${folder}/server.sock"
  trust_domain = "example.org"
  data_dir = "${folder}"
  log_level = "INFO"
}
plugins {
  DataStore "sql" { plugin_data { database_type = "sqlite3" connection_string = "${folder}/datastore.sqlite3" } }
  KeyManager "memory" { plugin_data {} }
  NodeAttestor "join_token" { plugin_data {} }
}
`
