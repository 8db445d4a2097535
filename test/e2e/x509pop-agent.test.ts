import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { printPem } from '../../src/x509/pem.ts'
import { TestAuthority } from '../../src/testing/test-authority.ts'
import { House } from './house.ts'

interface Agents {
  readonly spiffeId: string
  readonly attestationType: string
  readonly serialNumber: string
  readonly canReattest: boolean
}

async function houseOfNodes(): Promise<House> {
  const authority = await TestAuthority.create({ trustDomain: 'nodes.example' })
  const node = await authority.issue('/unused', { uriSans: [], dnsSans: ['node-1'], subject: { commonName: 'node-1' } })
  const house = await House.withServer()
  mkdirSync(house.path('agent/private'), { recursive: true, mode: 0o700 })
  const write = (name: string, text: string): void => writeFileSync(house.path(name), text, { mode: 0o600 })
  write('server/nodes.pem', printPem([authority.certificate]))
  const config = readFileSync(house.path('server/server.yaml'), 'utf8')
  write('server/server.yaml', `${config}\nattestors: {x509pop: {caBundle: nodes.pem}}\n`)
  await house.server?.stop()
  await house.startServer()
  write('agent/private/node.pem', printPem(node.chain))
  write('agent/private/node.key', node.keyPair.privateKey.export({ format: 'pem', type: 'pkcs8' }) as string)
  write('agent/private/bundle.pem', await house.bundlePem())
  write(
    'agent/agent.yaml',
    `trustDomain: example.org
server: {address: "127.0.0.1:${house.port}"}
trustBundle: private/bundle.pem
dataDir: private/data
runtimeDir: private/runtime
socket: api.sock
adminSocket: private/admin.sock
attestor: {x509pop: {certificate: private/node.pem, privateKey: private/node.key}}
`,
  )
  return house
}

describe('an agent with a certificate of another PKI', () => {
  test('attests with it, and again whenever it has lost everything', async () => {
    await using house = await houseOfNodes()
    await house.startAgent()
    await house.agent!.printed(/"msg":"In sync with the server"/)
    const list = () => house.json<readonly Agents[]>('agent', 'list')
    const [agent] = await list()
    expect(agent).toMatchObject({ attestationType: 'x509pop', canReattest: true })
    expect(agent!.spiffeId).toMatch(/^spiffe:\/\/example\.org\/spire\/agent\/x509pop\/[0-9a-f]{40}$/)

    await house.agent!.stop('SIGKILL')
    rmSync(house.path('agent/private/data'), { recursive: true })
    await house.startAgent()
    await house.agent!.printed(/"msg":"In sync with the server"/)
    const [again] = await list()
    expect(again!.spiffeId).toBe(agent!.spiffeId)
    expect(again!.serialNumber).not.toBe(agent!.serialNumber)
  })
})
