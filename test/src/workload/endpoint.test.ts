import { chmod, mkdir, mkdtemp, realpath, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SallyportError } from '../../../src/errors.ts'
import { checkSocketPath, parseEndpoint, printEndpoint, workloadEndpoint } from '../../../src/workload/endpoint.ts'
import { WorkloadClient } from '../../../src/workload/workload-client.ts'

describe('parseEndpoint()', () => {
  test.for([
    ['WE-11', 'unix:///run/spiffe/agent.sock', { unix: '/run/spiffe/agent.sock' }],
    ['WE-11', 'unix:/run/spiffe/agent.sock', { unix: '/run/spiffe/agent.sock' }],
    ['WE-10', 'UNIX:/run/agent.sock', { unix: '/run/agent.sock' }],
    ['WE-12', 'tcp://127.0.0.1:8000', { host: '127.0.0.1', port: 8000 }],
    ['WE-12', 'tcp://[::1]:8000', { host: '::1', port: 8000 }],
    ['WE-12', 'tcp://10.0.0.1:65535', { host: '10.0.0.1', port: 65535 }],
  ] as const)('%s accepts %s', ([, text, endpoint]) => {
    expect(parseEndpoint(text)).toEqual(endpoint)
  })

  test.for([
    ['WE-10', 'http://127.0.0.1:8000'],
    ['WE-10', '/run/x.sock'],
    ['WE-10', ''],
    ['WE-10', 'unix'],
    ['WE-11', 'unix://run/agent.sock'],
    ['WE-11', 'unix:relative.sock'],
    ['WE-11', 'unix:'],
    ['WE-11', 'unix:///'],
    ['WE-11', 'unix:///x?y'],
    ['WE-11', 'unix:///x#y'],
    ['WE-11', 'unix:///x?'],
    ['WE-11', 'unix://user@/x'],
    ['WE-11 NT-03', 'unix:/a/../b'],
    ['WE-11 NT-03', 'unix:///a/./b'],
    ['WE-11 NT-03', 'unix:///a b'],
    ['WE-11', 'unix:///a%20b'],
    ['WE-11', 'unix:///a\nb'],
    ['WE-11', `unix:///${'a'.repeat(107)}`],
    ['WE-12', 'tcp://localhost:8000'],
    ['WE-12', 'tcp://127.0.0.1'],
    ['WE-12 NT-03', 'tcp://127.0.0.1:'],
    ['WE-12', 'tcp://127.0.0.1:8000/foo'],
    ['WE-12', 'tcp://127.0.0.1:8000/'],
    ['WE-12', 'tcp://127.0.0.1:8000?x'],
    ['WE-12 NT-03', 'tcp://127.0.0.1:8000?'],
    ['WE-12 NT-03', 'tcp://127.0.0.1:8000#'],
    ['WE-12', 'tcp://u@127.0.0.1:8000'],
    ['WE-12 NT-03', 'tcp://@127.0.0.1:8000'],
    ['WE-12', 'tcp://127.0.0.1:0'],
    ['WE-12', 'tcp://127.0.0.1:65536'],
    ['WE-12 NT-03', 'tcp://127.0.0.1:08000'],
    ['WE-12 NT-03', 'tcp://127.1:8000'],
    ['WE-12', 'tcp://::1:8000'],
    ['WE-12', 'tcp://[127.0.0.1]:8000'],
    ['WE-12', 'tcp://[]:8000'],
    ['WE-12', 'tcp://:8000'],
    ['WE-12', 'tcp:127.0.0.1:8000'],
    ['WE-12', ' tcp://127.0.0.1:8000'],
  ] as const)('%s refuses %j', ([, text]) => {
    expect(() => parseEndpoint(text)).toThrowCode('ENDPOINT_INVALID')
  })

  test('IO-43 says that named pipes are not supported', () => {
    expect(() => parseEndpoint('npipe:spire-agent')).toThrowCode('ENDPOINT_INVALID', 'named pipes')
  })

  test('prints what it read', () => {
    for (const address of ['unix:/run/agent.sock', 'tcp://127.0.0.1:8000', 'tcp://[::1]:8000']) {
      expect(printEndpoint(parseEndpoint(address))).toBe(address)
    }
  })

  test('on any text returns an address or throws a SallyportError', () => {
    const text = fc.string({
      unit: fc.constantFrom('unix:', 'tcp://', '127.0.0.1', ':', '80', '/', '[::1]', '?', 'a', '..'),
    })
    fc.assert(
      fc.property(fc.oneof(text, fc.string()), (address) => {
        try {
          parseEndpoint(address)
        } catch (error) {
          expect(error).toBeInstanceOf(SallyportError)
        }
      }),
    )
  })
})

describe('workloadEndpoint()', () => {
  const environment = { SPIFFE_ENDPOINT_SOCKET: 'unix:///from/environment' }

  test('WE-09 what is configured wins over the environment', () => {
    expect(workloadEndpoint('unix:///configured', environment)).toEqual({ unix: '/configured' })
    expect(workloadEndpoint('unix:///configured', {})).toEqual({ unix: '/configured' })
    expect(workloadEndpoint(undefined, environment)).toEqual({ unix: '/from/environment' })
  })

  test('WE-09 neither is a clear error', () => {
    expect(() => workloadEndpoint(undefined, {})).toThrowCode('ENDPOINT_INVALID', 'SPIFFE_ENDPOINT_SOCKET is not set')
    expect(() => workloadEndpoint(undefined, { SPIFFE_ENDPOINT_SOCKET: '' })).toThrowCode('ENDPOINT_INVALID')
  })
})

describe('checkSocketPath()', () => {
  let root: string
  let inner: string

  beforeEach(async () => {
    root = await realpath(await mkdtemp(join(tmpdir(), 'endpoint-')))
    inner = join(root, 'open', 'inner')
    await mkdir(inner, { recursive: true })
    await chmod(join(root, 'open'), 0o755)
    await chmod(inner, 0o755)
  })

  afterEach(async () => rm(root, { recursive: true }))

  test('accepts folders that only their owners may write, there or not yet', async () => {
    await checkSocketPath(join(inner, 'agent.sock'))
    await checkSocketPath(join(inner, 'not', 'there', 'yet', 'agent.sock'))
  })

  test.for([0o777, 0o757, 0o775])('SE-05: refuses a socket below a folder of mode %o', async (mode) => {
    await chmod(join(root, 'open'), mode)
    for (const name of ['agent.sock', 'not/there/yet/agent.sock']) {
      await expect(checkSocketPath(join(inner, name))).rejects.toThrowCode('SOCKET_PATH_UNSAFE', 'others may write to')
    }
  })

  test('SE-05: a sticky folder is no danger, since nobody may replace what is in it', async () => {
    await chmod(join(root, 'open'), 0o1777)
    await checkSocketPath(join(inner, 'agent.sock'))
  })

  test('SE-05: a link does not hide the folder behind it', async () => {
    await symlink(inner, join(root, 'link'))
    await checkSocketPath(join(root, 'link', 'agent.sock'))
    await chmod(join(root, 'open'), 0o777)
    await expect(checkSocketPath(join(root, 'link', 'agent.sock'))).rejects.toThrowCode('SOCKET_PATH_UNSAFE')
  })

  test('SE-05: WorkloadClient.open() looks before anything is connected', async () => {
    await chmod(join(root, 'open'), 0o777)
    const opening = WorkloadClient.open({ endpoint: `unix:${join(inner, 'agent.sock')}` })
    await expect(opening).rejects.toThrowCode('SOCKET_PATH_UNSAFE', join(root, 'open'))
  })
})
