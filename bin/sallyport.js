#!/usr/bin/env node
// Starts the command line on a Node that can run it, in an environment that cannot be used to read its keys.
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'

const forbidden = /^(NODE_OPTIONS|NODE_TLS_REJECT_UNAUTHORIZED|NODE_EXTRA_CA_CERTS|SSLKEYLOGFILE|OPENSSL_CONF|LD_.*)$/
const flags = ['--disable-sigusr1', '--disable-warning=ExperimentalWarning']
// Short-lived objects get little room, and threads share theirs: memory that one burst needed is not kept for the next.
// A daemon that is quiet collects its garbage by itself (src/process/memory-trim.ts).
const memoryFlags = ['--max-semi-space-size=8', '--expose-gc']
// A server signs as fast as its processors can: more threads than those only wait for each other.
const threads =
  process.argv[2] === 'server' ? { UV_THREADPOOL_SIZE: `${Math.min(16, Math.max(2, availableParallelism()))}` } : {}
const bundle = new URL('../dist/sallyport.js', import.meta.url)
const source = new URL('../cli/main.ts', import.meta.url)
// In a clone the sources are what counts; a package holds only the bundle.
const program = existsSync(source) ? source : bundle
const clean = Object.keys(process.env).every((name) => !forbidden.test(name))
const modern = Number(process.versions.node.split('.')[0]) >= 26

if (modern && clean && flags.every((flag) => process.execArgv.includes(flag))) {
  await import(program.href)
} else {
  const kept = Object.entries(process.env).filter(([name]) => !forbidden.test(name))
  const env = { MALLOC_ARENA_MAX: '2', ...threads, ...Object.fromEntries(kept) }
  const node = modern ? process.execPath : pinnedNode()
  const args = [...flags, ...memoryFlags, fileURLToPath(import.meta.url), ...process.argv.slice(2)]
  // The same process where Node can do that: one that only waits for its child would take 45 MB.
  if (process.execve === undefined) await runChild(node, args, env)
  else process.execve(node, [node, ...args], env)
}

async function runChild(node, args, env) {
  const { spawn } = await import('node:child_process')
  const child = spawn(node, args, { stdio: 'inherit', env })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => fail(`Cannot start Node: ${error.message}`))
  child.on('exit', (code, signal) => {
    if (signal === null) process.exit(code ?? 1)
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.removeAllListeners(name)
    process.kill(process.pid, signal)
  })
}

function pinnedNode() {
  try {
    return createRequire(import.meta.url).resolve('node/bin/node')
  } catch {
    return fail(
      `Sallyport needs Node 26 or newer; this is ${process.version}. Install it, or run \`npm ci\` in a clone.`,
    )
  }
}

function fail(message) {
  console.error(message)
  process.exit(1)
}
