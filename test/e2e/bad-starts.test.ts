import {
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { dirname, join, relative } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { House } from './house.ts'
import { freePort, launcher, run, runSallyport, sallyport } from './processes.ts'

// What a server and an agent say when they cannot start: one clear error, nothing half done, nothing damaged.

let house: House
let count = 0

beforeAll(async () => {
  house = await House.open()
  await house.register('/before')
})

afterAll(async () => house?.[Symbol.asyncDispose]())

interface Failure {
  readonly code: number | NodeJS.Signals
  readonly error: { readonly code: string; readonly message: string; readonly hint: string }
}

/** Runs a command that must fail, and reads the one error that it prints. */
async function failing(...args: readonly string[]): Promise<Failure> {
  const { code, stderr } = await runSallyport(['--output', 'json', ...args], { timeoutMs: 15_000 })
  const line = stderr.split('\n').find((text) => text.startsWith('{"error"'))
  if (line === undefined) throw new Error(`no error was printed: ${code} ${stderr}`)
  return { code, ...(JSON.parse(line) as { error: Failure['error'] }) }
}

/** A folder with a copy of the server's data as a crash would leave it, and a configuration for it. */
async function serverCopy(values: Readonly<Record<string, string>> = {}): Promise<string> {
  const folder = house.path(`copy-${count++}`)
  mkdirSync(folder, { mode: 0o700 })
  cpSync(house.path('server/data'), join(folder, 'data'), { recursive: true })
  const all = { trustDomain: house.trustDomain, listen: `127.0.0.1:${await freePort()}`, ...values }
  const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
  writeFileSync(join(folder, 'server.yaml'), `${lines.join('\n')}\n`)
  return folder
}

const startServer = (folder: string): Promise<Failure> =>
  failing('server', 'run', '--config', join(folder, 'server.yaml'))

describe('a server', () => {
  test('whose port is taken says so, and leaves the other one alone', async () => {
    const folder = await serverCopy({ listen: `127.0.0.1:${house.port}` })
    const { code, error } = await startServer(folder)
    expect(code).not.toBe(0)
    expect(error).toMatchObject({ code: 'SOCKET_IN_USE', message: expect.stringContaining(String(house.port)) })
    expect(existsSync(join(folder, 'admin.sock'))).toBe(false)
    expect((await house.cli('health')).code).toBe(0)
  })

  test('whose log cannot be written, on a full disk, serves all the same', async () => {
    const folder = await serverCopy()
    const cli = `'${process.execPath}' '${launcher}' --server-socket '${folder}/admin.sock'`
    const script = `${cli} server run --config '${folder}/server.yaml' 2> /dev/full &
${cli} health --wait 30s; kill $!; wait $!; echo "ended with $?"`
    const { stdout } = await run('bash', ['-c', script], { timeoutMs: 45_000 })
    expect(stdout).toBe('The server is serving.\nended with 0\n')
  })

  test('whose data are open in another server is refused', async () => {
    const folder = await serverCopy({ dataDir: house.path('server/data') })
    expect((await startServer(folder)).error).toMatchObject({
      code: 'STORE_LOCKED',
      hint: expect.stringContaining('Stop the other server'),
    })
  })

  test('whose admin socket answers already is refused; the socket stays', async () => {
    const folder = await serverCopy({ adminSocket: house.serverSocket })
    expect((await startServer(folder)).error.code).toBe('SOCKET_IN_USE')
    expect((await house.cli('health')).code).toBe(0)
  })

  test('does not remove a file that is no socket', async () => {
    const folder = await serverCopy()
    writeFileSync(join(folder, 'admin.sock'), 'mine')
    expect((await startServer(folder)).error.code).toBe('SOCKET_PATH_UNSAFE')
    expect(readFileSync(join(folder, 'admin.sock'), 'utf8')).toBe('mine')
  })

  test('whose socket path is too long says how long it may be', async () => {
    const folder = await serverCopy({ adminSocket: `${'x'.repeat(108)}.sock` })
    const { error } = await startServer(folder)
    expect(error).toMatchObject({ code: 'SOCKET_PATH_UNSAFE', message: expect.stringContaining('at most 107') })
  })

  test('with a damaged database starts not, and changes no byte of it', async () => {
    const folder = await serverCopy()
    const path = join(folder, 'data/sallyport.db')
    rmSync(`${path}-wal`, { force: true })
    rmSync(`${path}-shm`, { force: true })
    const damaged = readFileSync(path).fill(0xa5, 0, 100)
    writeFileSync(path, damaged)
    expect((await startServer(folder)).error.code).toBe('STORE_CORRUPT')
    expect(readFileSync(path).equals(damaged)).toBe(true)
  })

  test('with a database of a newer version says so', async () => {
    const folder = await serverCopy()
    const path = join(folder, 'data/sallyport.db')
    {
      using db = new DatabaseSync(path)
      db.exec('PRAGMA user_version = 99')
    }
    const { error } = await startServer(folder)
    expect(error.code).toBe('STORE_NEWER')
    expect(error.hint).not.toBe('')
  })

  test('with data that others may read is refused, each time with what to do', async () => {
    for (const [path, mode] of [
      ['data', 0o755],
      ['data/sallyport.db', 0o644],
      ['data/keys', 0o755],
    ] as const) {
      const folder = await serverCopy()
      chmodSync(join(folder, path), mode)
      const { error } = await startServer(folder)
      expect(error.code).toMatch(/^(DATA_FOLDER_REFUSED|STORE_PERMISSIONS|KEY_STORE_PERMISSIONS)$/)
      expect(error.message).toContain(path.split('/').at(-1))
    }
  })

  test('SE-05 whose admin socket would lie where others can reach it is refused', async () => {
    const folder = await serverCopy({ adminSocket: house.path('open/admin.sock') })
    mkdirSync(house.path('open'))
    chmodSync(house.path('open'), 0o777)
    expect((await startServer(folder)).error.code).toMatch(/^SOCKET_(FOLDER_REFUSED|PATH_UNSAFE)$/)
  })

  test('with a damaged key names it', async () => {
    const folder = await serverCopy()
    for (const name of readdirSync(join(folder, 'data/keys'))) {
      const path = join(folder, 'data/keys', name)
      writeFileSync(path, readFileSync(path).subarray(0, 20))
    }
    expect((await startServer(folder)).error.code).toBe('KEY_STORE_CORRUPT')
  })

  test('with mistakes in its configuration names all of them at once', async () => {
    const path = house.path('bad.yaml')
    writeFileSync(path, 'trustDomian: example.org\nlisten: 127.0.0.1\nca: {ttl: soon}\nsvid: {x509Ttl: 30d}\n')
    const { code, error } = await failing('server', 'run', '--config', path)
    expect(code).toBe(2)
    expect(error.code).toBe('CONFIG_INVALID')
    for (const word of [
      '"trustDomian", did you mean "trustDomain"?',
      'listen:',
      'ca.ttl:',
      'trustDomain: is missing',
    ]) {
      expect(error.message).toContain(word)
    }
  })

  test('whose x509pop authorities are missing names the file and the field', async () => {
    const folder = await serverCopy({ attestors: '{x509pop: {caBundle: nowhere.pem}}' })
    const { error } = await startServer(folder)
    expect(error).toMatchObject({ code: 'CONFIG_UNREADABLE', message: expect.stringContaining('caBundle') })
  })

  test.for(['NODE_OPTIONS', 'LD_PRELOAD', 'SSLKEYLOGFILE', 'NODE_EXTRA_CA_CERTS'])(
    'SE-30 runs not with %s: the launcher strips it, and what it starts refuses it',
    async (name) => {
      const folder = await serverCopy({ listen: `127.0.0.1:${house.port}` })
      const config = join(folder, 'server.yaml')
      // SSLKEYLOGFILE and the like need no file to be refused; a preload that is missing must not matter.
      const env = {
        PATH: process.env['PATH'],
        HOME: folder,
        [name]: name === 'NODE_OPTIONS' ? '--no-warnings' : 'no.so',
      }
      const flags = ['--disable-sigusr1', '--disable-warning=ExperimentalWarning']
      const started = await run(process.execPath, [launcher, 'server', 'run', '--config', config], { env })
      // It came as far as its port: the variable was gone.
      expect(started.stderr).toContain('SOCKET_IN_USE')
      const program = join(dirname(launcher), '../cli/main.ts')
      const direct = await run(process.execPath, [...flags, program, 'server', 'run', '--config', config], { env })
      expect(direct.stderr).toContain('ENVIRONMENT_REFUSED')
      expect(direct.stderr).toContain(name)
    },
  )
})

describe('an agent', () => {
  const agentYaml = (values: Readonly<Record<string, string>>): string => {
    const folder = house.path(`agent-copy-${count++}`)
    mkdirSync(join(folder, 'private'), { recursive: true, mode: 0o700 })
    const all = {
      ...{ dataDir: 'private/data', runtimeDir: 'private/run', socket: 'api.sock', adminSocket: 'private/admin.sock' },
      attestor: '{joinFile: join.txt}',
      ...values,
    }
    const path = join(folder, 'agent.yaml')
    copyFileSync(house.path('agent/private/join.txt'), join(folder, 'join.txt'))
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}`)
    writeFileSync(path, `${lines.join('\n')}\n`)
    return path
  }

  const startAgent = (values: Readonly<Record<string, string>>): Promise<Failure> =>
    failing('agent', 'run', '--config', agentYaml(values))

  test('whose socket is another agent’s is refused, and the other goes on', async () => {
    expect((await startAgent({ socket: house.agentSocket })).error.code).toBe('SOCKET_IN_USE')
    expect((await house.cli('fetch', 'x509')).code).toBe(0)
  })

  test('whose socket path is too long is refused', async () => {
    expect((await startAgent({ socket: `${'y'.repeat(108)}.sock` })).error.message).toContain('at most 107')
  })

  test('without its join file, or with one that is none, says what to do', async () => {
    const missing = await startAgent({ attestor: '{joinFile: nowhere.txt}' })
    expect(missing.error).toMatchObject({ code: 'BOOTSTRAP_REFUSED', hint: expect.stringContaining('token create') })
    const garbled = await startAgent({ attestor: '{joinFile: agent.yaml}' })
    expect(garbled.error.code).toBe('JOIN_STRING_INVALID')
  })

  test('WE-03 serves unix sockets alone: an address is no place for the Workload API', async () => {
    const { error } = await startAgent({ socket: '"tcp://0.0.0.0:8080"' })
    expect(error).toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('socket: must be the path'),
    })
  })

  test('SE-14 with x509pop and insecure bootstrap at once is refused', async () => {
    const { error } = await startAgent({
      insecureBootstrap: 'true',
      attestor: '{x509pop: {certificate: a.pem, privateKey: a.key}}',
      trustDomain: 'example.org',
      server: '{address: "127.0.0.1:1"}',
    })
    expect(error.message).toContain('insecureBootstrap: is refused')
  })

  test('with several mistakes names all of them', async () => {
    const { code, error } = await startAgent({ sokcet: 'x', holdUnknownCaller: 'long', heartbeatInterval: '5 s s' })
    expect(code).toBe(2)
    for (const word of ['"sokcet", did you mean "socket"?', 'holdUnknownCaller:', 'heartbeatInterval:']) {
      expect(error.message).toContain(word)
    }
  })

  test('whose saved state is damaged starts, says so, and serves nobody from it', async () => {
    const path = agentYaml({})
    const folder = join(dirname(path), 'private/data')
    mkdirSync(folder, { mode: 0o700 })
    for (const file of readdirSync(house.path('agent/private/data'), { recursive: true, withFileTypes: true })) {
      if (!file.isFile()) continue
      const path = join(folder, relative(house.path('agent/private/data'), join(file.parentPath, file.name)))
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
      writeFileSync(path, 'damaged', { mode: 0o600 })
    }
    await using agent = sallyport(['agent', 'run', '--config', path])
    await agent.printed(/cannot be used/)
    await agent.printed(/"msg":"Agent ready"/)
  })
})

describe('the command line', () => {
  const nowhere = ['--server-socket', '/tmp/no-such-folder/admin.sock', '--agent-socket', 'unix:/tmp/no-such/api.sock']

  test('when nothing runs says which command starts it', async () => {
    const server = await failing(...nowhere, 'entry', 'list')
    expect(server).toMatchObject({ code: 4, error: { hint: expect.stringContaining('sallyport server run') } })
    const agent = await failing(...nowhere, 'fetch', 'x509')
    expect(agent).toMatchObject({ code: 4, error: { hint: expect.stringContaining('sallyport agent run') } })
  })

  test('a misspelt command or option is met with the nearest one', async () => {
    const command = await runSallyport(['entyr', 'list'])
    expect(command).toMatchObject({ code: 2, stderr: expect.stringContaining('Did you mean entry?') })
    const option = await runSallyport(['entry', 'list', '--selectr', 'unix:uid:1'])
    expect(option).toMatchObject({ code: 2, stderr: expect.stringContaining('Did you mean --selector?') })
    const missing = await runSallyport(['entry', 'create', '--spiffe-id', 'spiffe://example.org/x'])
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringMatching(/--parent.*\n.*--help/) })
  })

  test('an id or a selector that cannot be names what is wrong with it', async () => {
    const base = ['--server-socket', house.serverSocket, 'entry', 'create', '--parent', house.nodeId]
    const id = await failing(...base, '--spiffe-id', 'spiffe://Example.org/x', '--selector', 'unix:uid:1')
    expect(id).toMatchObject({ code: 2, error: { code: expect.stringMatching(/^(SPIFFE_ID|TRUST_DOMAIN)_INVALID$/) } })
    const foreign = await failing(...base, '--spiffe-id', 'spiffe://other.test/x', '--selector', 'unix:uid:1')
    expect(foreign.code).toBe(2)
    const selector = await failing(...base, '--spiffe-id', 'spiffe://example.org/x', '--selector', 'uid=1')
    expect(selector).toMatchObject({ code: 2, error: { code: 'SELECTOR_INVALID' } })
  })

  test('what is not there, and what is already there, is said', async () => {
    const socket = ['--server-socket', house.serverSocket]
    expect((await failing(...socket, 'entry', 'show', 'no-such-entry')).code).toBe(1)
    const twice = ['--spiffe-id', 'spiffe://example.org/twice', '--parent', house.nodeId, '--selector', 'unix:uid:99']
    await house.json('entry', 'create', ...twice)
    expect(await failing(...socket, 'entry', 'create', ...twice)).toMatchObject({
      code: 1,
      error: { message: expect.stringContaining('already') },
    })
  })

  test('a socket of somebody else is not waited for', async () => {
    const path = house.path('silent.sock')
    const silent = createServer().listen(path)
    onTestFinished(() => void silent.close())
    const { code } = await runSallyport(['--server-socket', path, 'health'], { timeoutMs: 15_000 })
    expect(code).toBe(4)
    const fetched = await failing('--agent-socket', `unix:${path}`, 'fetch', 'x509', '--timeout', '300ms')
    expect(fetched.error.hint).toContain('sallyport status --of agent')
  })
})
