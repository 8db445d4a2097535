import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { beforeAll, describe, expect, test } from 'vitest'
import type { KeyPair } from '../../../src/key/cryptography.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import type { Certificate } from '../../../src/x509/certificate.ts'
import {
  answerX509popChallenge,
  decodeX509popChallenge,
  encodeX509popPayload,
  encodeX509popResponse,
  x509popFingerprint,
} from '../../../src/x509/x509pop-payload.ts'
import { x509popAttestor, X509POP_DEFAULTS } from '../../../server/attest/x509pop.ts'
import { TestAuthority, type TestSvid } from '../../../src/testing/test-authority.ts'
import {
  attest,
  csrOf,
  idMessage,
  newKey,
  START,
  testServer,
  trustDomain,
  type TestServer,
} from '../rpc/test-server.ts'

let root: TestAuthority
let intermediate: TestAuthority
let node: TestSvid

beforeAll(async () => {
  root = await TestAuthority.create({ now: START })
  intermediate = await root.intermediate()
  const uriSans = ['x509pop://example.org/zone/shop/floor-1', 'x509pop://other.org/zone/bank', 'spiffe://example.org/x']
  node = await intermediate.issue('/', { subject: { commonName: 'node-1' }, serialNumber: 0xabcn, uriSans })
})

const answerWith = (keyPair: KeyPair) => async (challenge: Buffer) =>
  encodeX509popResponse(
    await answerX509popChallenge(decodeX509popChallenge(challenge), keyPair.privateKey, randomBytes(32)),
  )

async function join(chain: readonly Certificate[], keyPair: KeyPair, server?: TestServer) {
  const own = server ?? (await testServer({ x509popAuthorities: [root.certificate] }))
  const payload = encodeX509popPayload(chain.map(({ der }) => der))
  const result = await attest(own, 'x509pop', payload, await csrOf(await newKey()), { answer: answerWith(keyPair) })
  return { server: own, result }
}

describe('x509pop', () => {
  test('names the agent after the fingerprint, gives SPIRE’s selectors, and may be repeated', async () => {
    const { server, result } = await join(node.chain, node.keyPair)
    const path = `/spire/agent/x509pop/${x509popFingerprint(node.certificate.der)}`
    expect(result).toMatchObject({ reattestable: true, svid: { id: idMessage(path) } })
    const agent = server.directory.agent(`spiffe://example.org${path}`)
    expect(agent?.selectors.map(({ type, value }) => `${type}:${value}`)).toEqual([
      'x509pop:subject:cn:node-1',
      `x509pop:ca:fingerprint:${x509popFingerprint(intermediate.certificate.der)}`,
      `x509pop:ca:fingerprint:${x509popFingerprint(root.certificate.der)}`,
      'x509pop:serialnumber:0abc',
      'x509pop:san:zone:shop/floor-1',
    ])
    await join(node.chain, node.keyPair, server)
    expect(server.directory.agent(`spiffe://example.org${path}`)?.revisionNumber).toBe(1)
  })

  test.for(['rsa-2048', 'ec-p384'] as const)('proves possession of %s keys too', async (keyType) => {
    const other = await root.issue('/', { keyType })
    expect((await join(other.chain, other.keyPair)).result.reattestable).toBe(true)
  })

  test('users’ rank 11: hostile payloads are refused, each in little time', async () => {
    const stranger = await TestAuthority.create({ now: START })
    const foreign = await stranger.issue('/')
    const noSignature = await root.issue('/', { keyUsage: ['keyEncipherment'] })
    const noUsage = await root.issue('/', { keyUsage: undefined })
    const late = await root.issue('/', { notBefore: new Date(0), notAfter: new Date(START.getTime() - 1000) })
    const chain = node.chain.map(({ der }) => der)
    const weak = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const weakLeaf = await root.sign({}, { type: 'rsa-2048', ...weak })
    const huge = generateKeyPairSync('rsa', { modulusLength: 512, publicExponent: 3 })
    const oddExponent = await root.sign({}, { type: 'rsa-2048', ...huge })
    const hostile: [string, readonly Buffer[] | Buffer, KeyPair, string, string][] = [
      ['a stranger’s', foreign.chain.map(({ der }) => der), foreign.keyPair, 'ATTESTATION_REFUSED', ''],
      [
        'a stranger’s leaf in front of our intermediate',
        [foreign.certificate.der, chain[1]!],
        foreign.keyPair,
        'ATTESTATION_REFUSED',
        '',
      ],
      ['without its intermediate', [chain[0]!], node.keyPair, 'ATTESTATION_REFUSED', ''],
      [
        'without digitalSignature',
        [noSignature.certificate.der],
        noSignature.keyPair,
        'ATTESTATION_REFUSED',
        'digital signature',
      ],
      ['without key usage', [noUsage.certificate.der], noUsage.keyPair, 'ATTESTATION_REFUSED', 'digital signature'],
      ['expired', [late.certificate.der], late.keyPair, 'ATTESTATION_REFUSED', ''],
      ['with another’s key', chain, await newKey(), 'ATTESTATION_REFUSED', 'does not hold the key'],
      [
        'too long',
        [chain[0]!, ...Array.from({ length: 5 }, () => chain[1]!)],
        node.keyPair,
        'ATTESTATION_REFUSED',
        'at most 4',
      ],
      ['with RSA of 1024 bits', [weakLeaf.der], node.keyPair, 'KEY_REFUSED', '1024'],
      ['with RSA of 512 bits and exponent 3', [oddExponent.der], node.keyPair, 'KEY_REFUSED', '512'],
      ['no JSON', Buffer.from('{'), node.keyPair, 'ATTESTATION_INVALID', 'not JSON'],
      ['no certificates', [], node.keyPair, 'ATTESTATION_INVALID', 'no certificate'],
      ['oversized', Buffer.alloc(70_000, 0x20), node.keyPair, 'ATTESTATION_INVALID', 'longer'],
    ]
    const server = await testServer({ x509popAuthorities: [root.certificate] })
    const csr = await csrOf(await newKey())
    for (const [what, content, keyPair, code, words] of hostile) {
      const payload = Buffer.isBuffer(content) ? content : encodeX509popPayload(content)
      const before = process.cpuUsage()
      const use = attest(server, 'x509pop', payload, csr, { answer: answerWith(keyPair) })
      await expect(use, what).rejects.toThrowCode(code as 'KEY_REFUSED', words)
      const { user, system } = process.cpuUsage(before)
      expect((user + system) / 1000, `${what}, CPU ms`).toBeLessThan(50)
    }
    expect(server.directory.agentCount).toBe(0)
  })

  test('certificates that the path does not need prove nothing and become no selectors', async () => {
    const stranger = await TestAuthority.create({ now: START })
    const extra = [node.chain[0], stranger.certificate, intermediate.certificate, root.certificate]
    const { server, result } = await join(extra, node.keyPair)
    const agent = server.directory.agent(`spiffe://example.org${result.svid?.id?.path ?? ''}`)
    const fingerprints = agent?.selectors
      .filter(({ value }) => value.startsWith('ca:'))
      .map(({ value }) => value.slice(15))
    expect(fingerprints).toEqual([intermediate, root].map(({ certificate }) => x509popFingerprint(certificate.der)))
  })

  test('a banned node cannot come back by proving itself again', async () => {
    const { server, result } = await join(node.chain, node.keyPair)
    await server.agents.banAgent({ id: idMessage(result.svid?.id?.path ?? '') }, server.local())
    await expect(join(node.chain, node.keyPair, server)).rejects.toThrowCode('AGENT_REFUSED', 'banned')
  })

  test('a node whose id belongs to an agent of another attestor does not take it over', async () => {
    const server = await testServer({ x509popAuthorities: [root.certificate] })
    await server.addAgent(`x509pop/${x509popFingerprint(node.certificate.der)}`, { attestationType: 'join_token' })
    await expect(join(node.chain, node.keyPair, server)).rejects.toThrowCode(
      'ATTESTATION_REFUSED',
      'joined by join_token',
    )
  })

  test('both attest at once: both are that agent, none is lost', async () => {
    const server = await testServer({ x509popAuthorities: [root.certificate] })
    await Promise.all([join(node.chain, node.keyPair, server), join(node.chain, node.keyPair, server)])
    expect(server.directory.agentCount).toBe(1)
  })
})

describe('the agent path template', () => {
  const idFor = async (agentPathTemplate: string) => {
    const attestor = x509popAttestor({
      ...X509POP_DEFAULTS,
      agentPathTemplate,
      trustDomain,
      cryptography,
      random: randomBytes,
      authorities: () => [root.certificate],
      clock: {
        now: () => START,
        monotonicMs: () => 0,
        sleep: async () => undefined,
        timer: () => ({ [Symbol.dispose]: () => undefined }),
      },
    })
    const payload = encodeX509popPayload(node.chain.map(({ der }) => der))
    const steps = attestor.attest(payload, { address: undefined, spki: Buffer.alloc(0) })
    const challenge = await steps.next()
    const end = await steps.next(await answerWith(node.keyPair)(challenge.value as Buffer))
    return end.done === true ? end.value.agentId.path : ''
  }

  test.for([
    ['/{{ .PluginName }}/{{ .Subject.CommonName }}', '/spire/agent/x509pop/node-1'],
    ['{{.PluginName}}/{{.SerialNumberHex}}', '/spire/agent/x509pop/0abc'],
    ['/{{ .PluginName }}/{{ .URISanSelectors.zone }}', '/spire/agent/x509pop/shop/floor-1'],
    ['/nodes/{{ index .URISanSelectors "zone" }}', '/spire/agent/nodes/shop/floor-1'],
  ] as const)('%s makes %s', async ([template, path]) => {
    expect(await idFor(template)).toBe(path)
  })

  test.for([
    ['/{{ .Nothing }}', '.Nothing is not one of'],
    ['/{{ if .Fingerprint }}x{{ end }}', 'only {{ .Name }}'],
    ['/{{ .Fingerprint }', 'only {{ .Name }}'],
  ] as const)('%s is refused in the configuration: %s', async ([template, why]) => {
    await expect(idFor(template)).rejects.toThrowCode('CONFIG_INVALID', why)
  })

  test('a node without a fact that its id is made of is refused', async () => {
    await expect(idFor('/{{ .URISanSelectors.rack }}')).rejects.toThrowCode(
      'ATTESTATION_REFUSED',
      'no URISanSelectors.rack',
    )
  })
})
