// `npm run example <name>`: registers a server and a client with a running `sallyport dev`, and runs both.
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, linkSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

const root = resolve(import.meta.dirname, '..')
const launcher = join(root, 'bin/sallyport.js')
const NODE_ID = 'spiffe://dev.test/node/here'
const roles = ['server', 'client'] as const
const names = readdirSync(import.meta.dirname).filter((name) =>
  existsSync(join(import.meta.dirname, name, 'client.ts')),
)

/** A name of its own for the same Node: the agent tells programs apart by their paths. */
function programOf(folder: string, role: string): string {
  const program = join(folder, role)
  linkSync(process.execPath, program)
  return program
}

/** Runs `sallyport entry …`. */
async function entry(...args: readonly string[]): Promise<unknown> {
  const { stdout } = await promisify(execFile)(process.execPath, [launcher, 'entry', ...args, '--output', 'json'])
  return JSON.parse(stdout)
}

/** Registers a program as `spiffe://dev.test/examples/<role>`; gives the id of the entry. */
async function register(role: string, program: string): Promise<string> {
  const identity = ['--spiffe-id', `spiffe://dev.test/examples/${role}`, '--parent', NODE_ID]
  const selectors = ['--selector', `unix:path:${program}`, '--selector', `unix:uid:${process.getuid?.() ?? 0}`]
  const { id } = (await entry('create', ...identity, ...selectors)) as { readonly id: string }
  return id
}

async function freePort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  return String(port)
}

/** Starts one side; what it prints appears with its role in front. */
function start(role: string, program: string, file: string, port: string): ChildProcess {
  const env = { ...process.env, PORT: port }
  const child = spawn(program, [file], { env, cwd: root, stdio: ['ignore', 'pipe', 'inherit'] })
  createInterface({ input: child.stdout! }).on('line', (line) => console.log(`${role}: ${line}`))
  return child
}

async function run(name: string): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-example-'))
  const entries: string[] = []
  let server: ChildProcess | undefined
  try {
    const programs = roles.map((role) => programOf(folder, role))
    const [serverProgram = '', clientProgram = ''] = programs
    entries.push(...(await Promise.all(roles.map((role, index) => register(role, programs[index]!)))))
    const port = await freePort()
    server = start('server', serverProgram, `examples/${name}/server.ts`, port)
    await Promise.race([
      once(server.stdout!, 'data'),
      once(server, 'exit').then(() => Promise.reject(new Error('the server ended'))),
    ])
    const client = start('client', clientProgram, `examples/${name}/client.ts`, port)
    const [code] = (await once(client, 'close')) as [number | null]
    return code ?? 1
  } finally {
    server?.kill()
    if (entries.length > 0) await entry('delete', ...entries)
    rmSync(folder, { recursive: true, force: true })
  }
}

const [name = ''] = process.argv.slice(2)
if (!names.includes(name)) {
  console.error(`Which example? ${names.join(', ')}`)
  process.exit(2)
}
if (process.env['SALLYPORT_SERVER_SOCKET'] === undefined || process.env['SPIFFE_ENDPOINT_SOCKET'] === undefined) {
  console.error('Start a system with `npm start`, and export here what it prints.')
  process.exit(2)
}
process.exitCode = await run(name).catch((error: Error) => {
  // What went wrong in a program that was started, it has printed itself.
  console.error(error.message)
  return 1
})
