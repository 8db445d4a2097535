import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { House } from './house.ts'
import { launcher, run, runSallyport, sallyport, type Finished } from './processes.ts'
import { missing, notRoot, notWorking, testUnless } from '../unless.ts'

// The commands as somebody types them, against one server and one agent.

let house: House
const id = (path: string): string => `spiffe://example.org${path}`

beforeAll(async () => {
  house = await House.open()
  await house.register('/me', '--x509-ttl', '10m', '--dns', 'me.internal')
})

afterAll(async () => house?.[Symbol.asyncDispose]())

const sockets = (): string[] => [
  ...['--server-socket', house.serverSocket, '--agent-socket', house.endpoint],
  ...['--agent-admin-socket', house.agentAdminSocket],
]

/** Runs a command with something on its standard input. */
const fed = (input: string, ...args: readonly string[]): Promise<Finished> =>
  runSallyport([...sockets(), ...args], { input })

const written = (name: string, text: string): string => {
  const path = house.path(name)
  writeFileSync(path, text)
  return path
}

/** A command that must fail: its exit code, what it printed, and that it is no accident. */
async function failing(...args: readonly string[]): Promise<Finished> {
  const outcome = await house.cli(...args)
  expect(outcome.code).not.toBe(0)
  expect(outcome.stderr).toMatch(/^error [A-Z0-9_]+: [^]*\n {2}→ .+\n$/)
  expect(outcome.stderr).not.toMatch(/INTERNAL|\n\s+at /)
  return outcome
}

describe.concurrent('entry', () => {
  const fields = ['--parent', id('/node/web-1'), '--selector', 'unix:uid:4001']

  test('create, show, list, count, update and delete', async () => {
    const created = await house.json<{ id: string }>('entry', 'create', '--spiffe-id', id('/shop'), ...fields)
    expect(await house.json('entry', 'show', created.id)).toMatchObject({
      spiffeId: id('/shop'),
      parent: id('/node/web-1'),
      selectors: ['unix:uid:4001'],
    })
    expect(await house.json('entry', 'list', '--selector', 'unix:uid:4001')).toHaveLength(1)
    expect(await house.json('entry', 'count', '--spiffe-id', id('/shop'))).toEqual({ count: 1 })
    const updated = await house.json('entry', 'update', created.id, '--x509-ttl', '30m', '--hint', 'till')
    expect(updated).toMatchObject({ x509Ttl: '30m', hint: 'till', selectors: ['unix:uid:4001'] })
    expect((await house.cli('entry', 'delete', created.id)).stdout).toBe('Deleted the entry.\n')
    expect(await failing('entry', 'show', created.id)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('sallyport entry list'),
    })
  })

  test('ids of the server’s trust domain may be written as their paths, wherever one is asked for', async () => {
    const created = await house.json<{ id: string }>(
      ...['entry', 'create', '--spiffe-id', '/short', '--parent', '/node/web-1', '--selector', 'unix:uid:4009'],
    )
    expect(created).toMatchObject({ spiffeId: id('/short'), parent: id('/node/web-1') })
    expect(await house.json('entry', 'count', '--spiffe-id', '/short', '--parent', '/node/web-1')).toEqual({ count: 1 })
    expect(await house.json('agent', 'show', '/node/web-1')).toMatchObject({ banned: false })
    expect(await house.json('token', 'create', '--spiffe-id', '/node/web-9')).toHaveProperty('joinString')
    expect(await house.json('audit', 'list', '--type', 'entry.created', '--spiffe-id', '/short')).toHaveLength(1)
    const jwt = await house.cli('mint', 'jwt', '--spiffe-id', '/short', '--audience', 'a')
    expect(Buffer.from(jwt.stdout.split('.')[1] ?? '', 'base64url').toString()).toContain(`"sub":"${id('/short')}"`)
    await house.cli('entry', 'delete', created.id)
  })

  test('SE-01 create warns on standard error of what is allowed and hardly meant', async () => {
    const { code, stdout, stderr } = await house.cli(
      ...['--output', 'json', 'entry', 'create', '--spiffe-id', id('/script'), '--parent', id('/node/nobody')],
      ...['--selector', 'unix:path:/usr/bin/python3', '--expires-at', '2020-01-01T00:00:00Z'],
    )
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ spiffeId: id('/script') })
    for (const words of ['only selectors are unix:path', 'is an interpreter', 'No node is', 'has expired already'])
      expect(stderr).toContain(words)
    await house.cli('entry', 'delete', (JSON.parse(stdout) as { id: string }).id)
  })

  test('apply plans, does, and does nothing the second time; from standard input too', async () => {
    const yaml = `entries:\n  - {spiffeId: "${id('/a')}", parent: "${id('/node/web-1')}", selectors: [unix:uid:4002]}\n`
    expect((await fed(yaml, 'entry', 'apply', '-f', '-', '--dry-run')).stdout).toMatch(/create 1.*Nothing was done/)
    const path = written('entries.yaml', yaml)
    expect((await house.cli('entry', 'apply', '-f', path)).stdout).toContain('create 1, update 0, delete 0, keep 0.')
    expect((await house.cli('entry', 'apply', '-f', path)).stdout).toContain('create 0, update 0, delete 0, keep 1.')
  })

  test('apply --prune leaves nodes the names that their tokens gave them', async () => {
    const path = written('none.yaml', 'entries: []\n')
    const plan = await house.json<{ action: string; spiffeId: string }[]>(
      ...['entry', 'apply', '-f', path, '--prune', '--dry-run'],
    )
    expect(plan.map(({ spiffeId }) => spiffeId)).toContain(id('/me'))
    expect(plan.map(({ spiffeId }) => spiffeId)).not.toContain(id('/node/web-1'))
  })

  test('apply names every mistake of a file, a line each', async () => {
    const path = written('wrong.yaml', 'entries:\n  - {spiffeId: x, parnt: y, selectors: [], x509Ttl: 10}\n')
    const { code, stderr } = await failing('entry', 'apply', '-f', path)
    expect(code).toBe(2)
    for (const words of [
      '\n  entries.0.spiffeId: ',
      'did you mean "parent"?',
      'needs at least one',
      'entries.0.x509Ttl: ',
    ])
      expect(stderr).toContain(words)
  })

  test('apply says which entry was refused, and how far it came', async () => {
    const entry = (spiffeId: string, user: number): string =>
      `  - {spiffeId: "${spiffeId}", parent: "${id('/node/web-1')}", selectors: [unix:uid:${user}]}\n`
    const path = written('foreign.yaml', `entries:\n${entry(id('/b'), 4003)}${entry('spiffe://other.test/c', 4004)}`)
    const { stderr } = await failing('entry', 'apply', '-f', path)
    expect(stderr).toMatch(/1 of 2 were made, 1 refused\n {2}create spiffe:\/\/other.test\/c: /)
  })

  test('mistakes say what to type instead', async () => {
    const create = ['entry', 'create', '--spiffe-id', id('/y')]
    const says = async (words: string, ...args: readonly string[]): Promise<void> =>
      expect((await failing(...args)).stderr).toContain(words)
    await Promise.all([
      says('--selector unix:uid:1000', ...create, '--parent', id('/n')),
      says('90s, 10m, 1h, 7d', ...create, ...fields, '--x509-ttl', '5'),
      says('shorter than a second', ...create, ...fields, '--x509-ttl', '10ms'),
      says('2027-01-31T00:00:00Z', ...create, ...fields, '--expires-at', 'soon'),
      says('superset', 'entry', 'list', '--match', 'some'),
      says('ENOENT', 'entry', 'apply', '-f', '/nowhere'),
    ])
    expect((await failing('entry', 'update', 'no-such-entry', '--hint', 'x')).code).toBe(1)
  })
})

describe.concurrent('fetch, validate and mint', () => {
  test('fetch x509 --write: files that openssl verifies, the key for its owner alone', async () => {
    const folder = house.path('svid')
    const { files } = await house.json<{ files: string[] }>('fetch', 'x509', '--write', folder)
    expect(files).toHaveLength(3)
    expect(statSync(`${folder}/key.pem`).mode & 0o777).toBe(0o600)
    const verify = ['verify', '-x509_strict', '-CAfile', `${folder}/bundle.pem`, `${folder}/svid.pem`]
    expect(await run('openssl', verify)).toMatchObject({ code: 0, stdout: expect.stringContaining('OK') })
  })

  test('fetch jwt into validate jwt, with the right audience and with another', async () => {
    const { stdout: token } = await house.cli('fetch', 'jwt', '--audience', 'orders')
    const valid = await fed(token, 'validate', 'jwt', '--audience', 'orders')
    expect(valid).toMatchObject({ code: 0, stdout: expect.stringContaining(`Valid: ${id('/me')}`) })
    expect(await fed(token, 'validate', 'jwt', '--audience', 'other')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('another audience'),
    })
    expect((await fed('', 'validate', 'jwt', '--audience', 'orders')).stderr).toContain('standard input is empty')
    expect((await failing('fetch', 'jwt', '--audience', '')).stderr).toContain('an audience is empty')
  })

  test('JW-15 warns of an audience that is a whole trust domain, and gives the token all the same', async () => {
    for (const audience of ['spiffe://example.org', 'spiffe://example.org/']) {
      const { stdout, stderr } = await house.cli('fetch', 'jwt', '--audience', audience)
      expect(stderr).toContain(`${audience} is a whole trust domain`)
      expect(stdout.split('.')).toHaveLength(3)
    }
    for (const audience of ['orders', 'spiffe://example.org/orders']) {
      expect((await house.cli('fetch', 'jwt', '--audience', audience)).stderr).toBe('')
    }
    const { stderr } = await house.cli('mint', 'jwt', '--spiffe-id', id('/backup'), '--audience', 'spiffe://other.test')
    expect(stderr).toContain('spiffe://other.test is a whole trust domain')
  })

  test('an identity that is not given is refused with the way to find out', async () => {
    const { code, stderr } = await failing('fetch', 'jwt', '--audience', 'a', '--spiffe-id', id('/somebody-else'))
    expect(code).toBe(3)
    expect(stderr).toContain('sallyport explain --pid $$')
  })

  test('mint x509 and mint jwt', async () => {
    const folder = house.path('minted')
    const minted = await house.cli('mint', 'x509', '--spiffe-id', id('/backup'), '--ttl', '1h', '--write', folder)
    expect(minted).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/spiffe:\/\/example.org\/backup until .*\nWrote/),
    })
    const { stdout: token } = await house.cli('mint', 'jwt', '--spiffe-id', id('/backup'), '--audience', 'orders')
    expect((await fed(token, 'validate', 'jwt', '--audience', 'orders')).code).toBe(0)
    const elsewhere = written('a-file', '')
    expect((await failing('mint', 'x509', '--spiffe-id', id('/b'), '--write', elsewhere)).stderr).toContain(
      'FILE_UNUSABLE',
    )
  })
})

describe.concurrent('what runs', () => {
  test('status of both, and health', async () => {
    const server = await house.cli('status')
    expect(server.stdout).toMatch(/^example\.org .*\n.*1 agent \(1 connected\).*\nAUTHORITY/)
    const status = await house.json<{ authorities: { expiresAt: string }[] }>('status')
    expect(status.authorities[0]?.expiresAt).toMatch(/^\d{4}-.*Z$/)
    expect((await house.cli('status', '--of', 'agent')).stdout).toContain('in-sync')
    for (const of of ['server', 'agent']) expect((await house.cli('health', '--of', of)).code).toBe(0)
  })

  test('health waits for a process that is starting, and no longer than it is told', async () => {
    const socket = house.path('later/admin.sock')
    const late = (wait: string): Promise<Finished> =>
      runSallyport(['--server-socket', socket, 'health', '--wait', wait])
    expect(await late('300ms')).toMatchObject({ code: 4, stderr: expect.stringContaining('SOCKET_UNREACHABLE') })
    const waiting = late('30s')
    symlinkSync(house.path('server'), house.path('later'))
    expect(await waiting).toMatchObject({ code: 0, stdout: 'The server is serving.\n' })
  })

  test('a socket of another process, or of one that has ended, leads to the right one', async () => {
    const asked = (...args: readonly string[]): Promise<Finished> => runSallyport(args)
    const other = await asked('--server-socket', house.agentAdminSocket, 'status')
    expect(other.stderr).toContain('Is it the admin socket of the server? Name that with --server-socket')
    const workload = await asked('--agent-socket', `unix:${house.serverSocket}`, 'fetch', 'x509')
    expect(workload.stderr).toContain('Is it the workload socket of the agent? Name that with --agent-socket')
    const ended = await asked('--server-socket', written('ended.sock', ''), 'status')
    expect(ended).toMatchObject({ code: 4, stderr: expect.stringContaining('sallyport server run --config') })
  })

  test('explain: one’s own process, and one that does not exist', async () => {
    expect((await house.cli('explain', '--pid', String(process.pid))).stdout).toContain(`is ${id('/me')}`)
    expect((await failing('explain', '--pid', '4194304')).stderr).toContain('pgrep')
  })

  test('bundle show in each form, and one that is not stored', async () => {
    expect((await house.cli('bundle', 'show')).stdout).toMatch(/^-----BEGIN CERTIFICATE-----/)
    for (const [format, use] of [
      ['jwks', undefined],
      ['spiffe', 'x509-svid'],
    ] as const) {
      const { stdout } = await house.cli('bundle', 'show', '--format', format)
      expect((JSON.parse(stdout) as { keys: { use?: string }[] }).keys[0]?.use).toBe(use)
    }
    expect((await failing('bundle', 'show', 'other.test')).stderr).toContain('sallyport bundle list')
    expect(await failing('bundle', 'show', '--wit')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('--format spiffe --wit'),
    })
    expect((await failing('bundle', 'set', 'other.test', '--file', '/nowhere')).stderr).toContain('ENOENT')
  })

  test('audit list gives the newest, oldest of them first; verify compares with the agent', async () => {
    const all = await house.json<{ sequence: number }[]>('audit', 'list', '--limit', '1000')
    const [first, second] = await house.json<{ sequence: number }[]>('audit', 'list', '--limit', '2')
    expect(second?.sequence).toBeGreaterThanOrEqual(all.at(-1)?.sequence ?? 0)
    expect(first?.sequence).toBe((second?.sequence ?? 0) - 1)
    expect((await house.cli('audit', 'verify')).stdout).toMatch(/^Intact: .* [1-9]\d* checkpoints? held by the agent/)
    expect((await house.cli('audit', 'list', '--type', 'no.such')).stdout).toBe('No record is like that.\n')
    expect((await failing('audit', 'list', '--since', 'yesterday')).code).toBe(2)
  })

  test('a serial number of the agent’s log, or as openssl prints it, is found in the journal', async () => {
    const [line] = await house.agent!.printed(/^.*\/me".*Holds X509-SVID.*$/m)
    const { serialNumber } = JSON.parse(line) as { serialNumber: string }
    for (const serial of [serialNumber, BigInt(serialNumber).toString(16).toUpperCase()]) {
      const [record] = await house.json<{ facts: object }[]>('audit', 'list', '--serial', serial)
      expect(record?.facts).toMatchObject({ spiffeId: id('/me'), serialNumber })
    }
    expect((await failing('audit', 'list', '--serial', 'none')).code).toBe(2)
  })
})

describe.concurrent('everywhere', () => {
  // Node needs to read its sources as that user; where it cannot, as in a home of root, there is nothing to see.
  const asNobody = ['--reuid=65534', '--regid=65534', '--clear-groups', process.execPath, launcher]
  const unreadable = notWorking('setpriv', ...asNobody, '--version') && 'another user cannot run these sources'
  testUnless(notRoot ?? unreadable, 'a socket that is hidden from this user is not said to be missing', async () => {
    const outcome = await run('setpriv', [...asNobody, '--server-socket', house.serverSocket, 'entry', 'list'])
    expect(outcome).toMatchObject({ code: 3, stderr: expect.stringContaining('SOCKET_FORBIDDEN') })
    // The folder of a server, as seen by another user who stands above it.
    const above = await run('setpriv', [...asNobody, 'entry', 'list'], { cwd: house.folder })
    expect(above).toMatchObject({ code: 3, stderr: expect.stringContaining('SOCKET_FORBIDDEN') })
    const named = await run('setpriv', [...asNobody, '--server-socket', '/nowhere', 'status'], { cwd: house.folder })
    expect(named).toMatchObject({ code: 4, stderr: expect.stringContaining('SOCKET_UNREACHABLE') })
  })

  test('a reader that has seen enough ends a command quietly, and a full disk ends it with a reason', async () => {
    const audit = [process.execPath, launcher, ...sockets(), 'audit', 'list', '--json-lines'].join(' ')
    const piped = await run('bash', ['-c', `${audit} --limit 1000 | head -c 1; echo " ended with \${PIPESTATUS[0]}"`])
    expect(piped).toMatchObject({ stdout: '{ ended with 0\n', stderr: '' })
    const full = await run('bash', ['-c', `${audit} > /dev/full`])
    expect(full).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/^error FILE_UNUSABLE: .*ENOSPC\n {2}→ .+\n$/),
    })
  })

  testUnless(missing('script'), 'in a terminal of 80 columns every id is whole', async () => {
    const command = [process.execPath, launcher, ...sockets(), 'entry', 'list'].join(' ')
    const script = await run('script', ['-qec', `stty cols 80; ${command}`, '/dev/null'])
    expect(script.stdout).toContain(id('/me'))
    expect(script.stdout).not.toContain('…')
  })

  test('usage mistakes are explained in the form that was asked for', async () => {
    const { code, stderr } = await house.cli('--output', 'json', 'entry', 'lst')
    expect(code).toBe(2)
    expect(JSON.parse(stderr)).toMatchObject({
      error: { code: 'COMMAND_INVALID', message: expect.stringContaining('Did you mean list?') },
    })
  })

  test('yaml works where json does', async () => {
    expect((await house.cli('--output', 'yaml', 'entry', 'count', '--spiffe-id', id('/me'))).stdout).toBe('count: 1\n')
  })

  test('bash completes commands, options and known values', async () => {
    const path = written('completion.bash', (await house.cli('completion', 'bash')).stdout)
    const complete = async (...words: readonly string[]): Promise<string[]> => {
      const script = `. ${path}; COMP_WORDS=(sallyport "$@"); COMP_CWORD=$#; _sallyport; echo "\${COMPREPLY[*]}"`
      return (await run('bash', ['-c', script, 'bash', ...words])).stdout.trim().split(' ')
    }
    expect(await complete('en')).toEqual(['entry'])
    expect(await complete('--output', 'json', 'entry', 'cr')).toEqual(['create'])
    expect(await complete('entry', 'create', '--hint', 'list', '--spiffe')).toEqual(['--spiffe-id'])
    expect(await complete('bundle', 'show', '--format', '')).toEqual(['pem', 'jwks', 'wit-jwks', 'spiffe'])
    expect(readFileSync(path, 'utf8')).not.toContain('dev-service')
  })
})

describe('agents and tokens', () => {
  test('agents are counted, listed, and found by the name that their token gave them', async () => {
    expect(await house.json('agent', 'count')).toEqual({ count: 1 })
    const [listed] = await house.json<{ spiffeId: string }[]>('agent', 'list')
    const shown = await house.json('agent', 'show', house.nodeId)
    expect(shown).toMatchObject({ spiffeId: listed?.spiffeId, names: [house.nodeId], connected: true })
    expect((await failing('agent', 'show', id('/node/none'))).stderr).toContain('AGENT_NOT_FOUND')
    expect((await failing('agent', 'ban', id('/spire/agent/join_token/none'))).stderr).toContain('sallyport agent list')
    expect((await house.cli('agent', 'purge', '--dry-run')).stdout).toMatch(/^Would purge 0 agents/)
    expect((await house.cli('agent', 'list', '--banned')).stdout).toContain('No agent is like that')
  })

  test('a token that goes into a file for all is warned of, and the agent warns again', async () => {
    const path = house.path('open-join.txt')
    const shell = `umask 022; "$0" "$@" > ${path}`
    const command = [launcher, ...sockets(), 'token', 'create', '--bare', '--spiffe-id', id('/node/second')]
    const { code, stderr } = await run('sh', ['-c', shell, process.execPath, ...command])
    expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringContaining('chmod 600') })
    writeFileSync(house.path('bundle.pem'), await house.bundlePem())
    mkdirSync(house.path('second'), { mode: 0o700 })
    // The three options alone: the bundle says which trust domain it is.
    await using agent = sallyport([
      ...['agent', 'run', '--server', `127.0.0.1:${house.port}`, '--trust-bundle', house.path('bundle.pem')],
      ...['--join-token-file', path, '--data-dir', house.path('second/data'), '--socket', house.path('second/a.sock')],
      ...['--runtime-dir', house.path('second/run'), '--admin-socket', house.path('second/admin.sock')],
    ])
    await agent.printed(/Other users can read the join token/)
    await agent.printed(/"msg":"In sync with the server"/)
    expect(await house.json('agent', 'count')).toEqual({ count: 2 })
    expect((await house.cli('agent', 'evict', id('/node/second'))).stdout).toContain('must attest again')
    expect(await house.json('agent', 'count')).toEqual({ count: 1 })
  })

  test('mistakes about tokens', async () => {
    expect((await failing('token', 'create', '--ttl', '0s')).code).toBe(2)
    expect((await failing('token', 'create', '--spiffe-id', 'spiffe://other.test/n')).stderr).toContain(
      'not in trust domain',
    )
    expect((await failing('token', 'create', '--address-range', 'here')).stderr).toContain('10.0.0.0/8')
  })

  test('a server is not set up where others may enter, nor over another', async () => {
    const folder = house.path('open')
    mkdirSync(folder)
    chmodSync(folder, 0o755)
    const init = ['server', 'init', '--trust-domain', 'example.org', '--dir']
    expect((await failing(...init, folder)).stderr).toContain(`chmod 700 ${folder}`)
    expect((await failing(...init, house.path('server'))).stderr).toContain('sallyport server run --config')
  })
})
