import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { cleanEnvironment, freePort, runSallyport, RunningProcess, sallyport } from './processes.ts'
import { missing, testUnless } from '../unless.ts'

// Node has no unix datagrams: a few lines of Python stand in for systemd.
const listener = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('listening', flush=True)
while True: print(s.recv(100).decode(), flush=True)
`

testUnless(missing('python3'), 'tells systemd when it serves and when it stops', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-notify-'))
  const socket = join(folder, 'notify')
  try {
    await using systemd = new RunningProcess('python3', ['-c', listener, socket])
    await systemd.printed(/listening/)
    const init = ['server', 'init', '--trust-domain', 'example.org', '--dir', join(folder, 'server')]
    await runSallyport([...init, '--listen', `127.0.0.1:${await freePort()}`])
    const env = cleanEnvironment({ NOTIFY_SOCKET: socket })
    await using server = sallyport(['server', 'run', '--config', join(folder, 'server/server.yaml')], { env })
    await systemd.printed(/READY=1/)
    expect(server.stderr).toContain('Server ready')
    await server.stop('SIGTERM')
    await systemd.printed(/STOPPING=1/)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
