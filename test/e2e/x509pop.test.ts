import { X509Certificate } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from 'jose'
import { House } from './house.ts'
import { root, run, runSallyport, sallyport } from './processes.ts'

// Nodes that prove themselves with certificates of another PKI, at servers whose own keys are not the usual ones.

async function devCertificates(folder: string, ...options: readonly string[]): Promise<void> {
  const program = join(root, 'certs-dev/make-certs.ts')
  const { code, stderr } = await run(process.execPath, [program, '--dir', folder, '--node', 'web-1', ...options])
  if (code !== 0) throw new Error(stderr)
}

describe.for([
  { nodeKey: 'rsa-2048', caKey: 'ec-p384', jwtKey: 'rsa-2048', algorithm: 'RS256' },
  { nodeKey: 'ec-p256', caKey: 'rsa-2048', jwtKey: 'ec-p384', algorithm: 'ES384' },
])('a node with a certificate ($nodeKey) and a server with a CA of $caKey', ({ nodeKey, caKey, jwtKey, algorithm }) => {
  let house: House

  beforeAll(async () => {
    house = await House.withServer({
      serverYaml: `ca: {keyType: ${caKey}}\nsvid: {jwtKeyType: ${jwtKey}}\nattestors: {x509pop: {caBundle: ../pki/root.pem}}`,
      before: (folder) => devCertificates(join(folder, 'pki'), '--key-type', nodeKey),
    })
    mkdirSync(house.path('agent/private'), { recursive: true, mode: 0o700 })
    writeFileSync(house.path('agent/bundle.pem'), await house.bundlePem())
    writeFileSync(house.path('agent/agent.yaml'), agentYaml('web-1'))
    await house.startAgent()
  })

  afterAll(async () => house?.[Symbol.asyncDispose]())

  const agentYaml = (node: string): string => `
trustDomain: example.org
server: {address: "127.0.0.1:${house.port}"}
trustBundle: bundle.pem
dataDir: private/data
runtimeDir: private/runtime
socket: api.sock
adminSocket: private/admin.sock
attestor:
  x509pop: {certificate: ../pki/${node}.pem, privateKey: ../pki/${node}.key, intermediates: ../pki/intermediate.pem}
`

  const agents = () => house.json<{ spiffeId: string; attestation: string }[]>('agent', 'list')

  test('joins under the fingerprint of its certificate, and serves what is signed', async () => {
    await expect.poll(agents, { timeout: 10_000 }).toHaveLength(1)
    const [agent] = await agents()
    expect(agent?.spiffeId).toMatch(/^spiffe:\/\/example\.org\/spire\/agent\/x509pop\/[0-9a-f]{40}$/)
    const selector = ['--selector', `unix:uid:${process.getuid?.() ?? 0}`]
    await house.json(
      'entry',
      'create',
      '--spiffe-id',
      'spiffe://example.org/pop',
      '--parent',
      agent!.spiffeId,
      ...selector,
    )
    await house.json('fetch', 'x509', '--write', house.path('svid'))
    const verified = await run('openssl', [
      ...['verify', '-x509_strict', '-CAfile'],
      ...[house.path('svid/bundle.pem'), house.path('svid/svid.pem')],
    ])
    expect(verified).toMatchObject({ code: 0, stdout: expect.stringContaining('OK') })
    const authority = new X509Certificate(await house.bundlePem()).publicKey
    const details = authority.asymmetricKeyDetails
    expect(caKey === 'rsa-2048' ? details?.modulusLength : details?.namedCurve).toBe(
      caKey === 'rsa-2048' ? 2048 : 'secp384r1',
    )
  })

  test('its tokens are signed with the key that is configured, and verify', async () => {
    const { stdout } = await house.cli('--output', 'json', 'fetch', 'jwt', '--audience', 'orders')
    const token = /ey[\w-]+\.[\w-]+\.[\w-]+/.exec(stdout)?.[0] ?? ''
    const { stdout: jwks } = await house.cli('bundle', 'show', '--format', 'jwks')
    const { protectedHeader } = await jwtVerify(token, createLocalJWKSet(JSON.parse(jwks) as JSONWebKeySet), {
      audience: 'orders',
    })
    expect(protectedHeader.alg).toBe(algorithm)
    const validated = await runSallyport(
      ['--agent-socket', house.endpoint, 'validate', 'jwt', '--audience', 'orders'],
      { input: token },
    )
    expect(validated.code).toBe(0)
  })

  test('attests again by itself after an eviction, and not after a ban', async () => {
    const [agent] = await agents()
    await house.json('agent', 'evict', agent!.spiffeId)
    await expect.poll(async () => (await agents())[0]?.spiffeId, { timeout: 15_000 }).toBe(agent?.spiffeId)
    await house.json('agent', 'ban', agent!.spiffeId)
    await house.agent?.printed(/has banned this agent/)
    const status = () => house.json<{ state: string }>('status', '--of', 'agent')
    await expect.poll(async () => (await status()).state, { timeout: 10_000 }).toBe('banned')
    // What is still valid is served on.
    expect(await house.cli('fetch', 'x509')).toMatchObject({ code: 0, stderr: '' })
  })

  test('a node whose certificate another authority signed is refused', async () => {
    await devCertificates(house.path('other-pki'), '--key-type', nodeKey)
    const folder = house.path('stranger')
    mkdirSync(join(folder, 'private'), { recursive: true, mode: 0o700 })
    writeFileSync(join(folder, 'bundle.pem'), await house.bundlePem())
    writeFileSync(join(folder, 'agent.yaml'), agentYaml('web-1').replaceAll('../pki', '../other-pki'))
    await using stranger = sallyport(['agent', 'run', '--config', join(folder, 'agent.yaml')])
    await stranger.printed(/The server refused an attestation/)
    expect(await agents()).toHaveLength(1)
  })
})
