import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { AgentRule } from '../../../server/access/agent-rule.ts'
import { agentIdOfToken, aliasEntryIdOfToken, tokenHashOf } from '../../../server/attest/join-token.ts'
import { ATTESTATION_TIMEOUT_MS } from '../../../server/attest/node-attestor.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import type { KeyPair } from '../../../src/key/cryptography.ts'
import type { AttestAgentRequest } from '../../../src/wire/messages/spire-api-server-agent-v1.ts'
import { decodeCertificate } from '../../../src/x509/decode-certificate.ts'
import {
  decodeRejoinChallenge,
  encodeRejoinPayload,
  encodeRejoinResponse,
  keyHashOf,
  REJOIN,
  rejoinSignedBytes,
} from '../../../src/x509/rejoin-payload.ts'
import { spkiOf } from '../../../src/x509/spki.ts'
import type { SpiffeId } from '../../../src/id/spiffe-id.ts'
import type { AttestedAgent } from '../../../server/store/store.ts'
import { attest, csrOf, idMessage, newKey, START, testServer, trustDomain, type TestServer } from './test-server.ts'

let server: TestServer
beforeEach(async () => {
  server = await testServer()
})
afterEach(() => server[Symbol.asyncDispose]())

async function makeToken(aliasPath?: string, ttl = 600): Promise<string> {
  const agentId = aliasPath === undefined ? null : idMessage(aliasPath)
  const { value = '' } = await server.agents.createJoinToken({ ttl, token: '', agentId }, server.local())
  return value
}

async function join(token: string, keyPair?: KeyPair, address?: string) {
  const csr = await csrOf(keyPair ?? (await newKey()))
  return attest(server, 'join_token', Buffer.from(token), csr, address === undefined ? {} : { address })
}

/** Of uses at the same moment; a race that is lost once in a hundred would show. */
const PAIRS = 300

describe('join token', () => {
  test('SE-13 a token has 128 random bits or more and is stored as a hash; the id of the agent tells the hash only', async () => {
    const token = await makeToken()
    expect(Buffer.from(token, 'base64url').length * 8).toBeGreaterThanOrEqual(128)
    const result = await join(token)
    const path = result.svid?.id?.path ?? ''
    expect(path).toMatch(/^\/spire\/agent\/join_token\/[0-9a-f]{32}$/)
    expect(tokenHashOf(token).startsWith(path.slice(path.lastIndexOf('/') + 1))).toBe(true)
    const everything = JSON.stringify(
      [await server.store.snapshot(), await server.audit(), server.alarms],
      (_key, value) => (typeof value === 'bigint' ? String(value) : (value as unknown)),
    )
    expect(everything).not.toContain(token)
  })

  test('SE-13 of simultaneous uses exactly one succeeds; the reuse raises an alarm with both addresses', async () => {
    const csr = await csrOf(await newKey())
    for (let round = 0; round < PAIRS; round += 1) {
      const payload = Buffer.from(await makeToken())
      const uses = await Promise.allSettled(
        ['192.0.2.1', '192.0.2.2'].map((address) => attest(server, 'join_token', payload, csr, { address })),
      )
      expect(uses.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      const refused = uses.find((use): use is PromiseRejectedResult => use.status === 'rejected')
      expect(refused?.reason).toThrowCode('JOIN_TOKEN_SPENT', 'join token does not exist or has already been used')
    }
    expect(server.directory.agentCount).toBe(PAIRS)
    expect(server.alarms).toHaveLength(PAIRS)
    const alarm = server.alarms[0]
    expect(alarm?.sentence).toBe('Join token used twice')
    expect(new Set([alarm?.['firstAddress'], alarm?.['address']])).toEqual(new Set(['192.0.2.1', '192.0.2.2']))
    expect((await server.audit()).filter(({ type }) => type === 'token.reused')).toHaveLength(PAIRS)
  })

  test('SE-13 a late, an unknown and a used token are refused, the words are SPIRE’s', async () => {
    const late = await makeToken()
    server.advance(600_000)
    await expect(join(late)).rejects.toThrowCode('JOIN_TOKEN_EXPIRED', 'join token expired')
    await expect(join('guessed')).rejects.toThrowCode('JOIN_TOKEN_SPENT', 'does not exist or has already been used')
    const used = await makeToken()
    await join(used)
    await expect(join(used)).rejects.toThrowCode('JOIN_TOKEN_SPENT', 'does not exist or has already been used')
  })

  test.for([
    ['10.0.0.0/8', '10.9.8.7', true],
    ['10.0.0.0/8', '::ffff:10.9.8.7', true],
    ['10.0.0.0/8', '192.0.2.1', false],
    ['192.0.2.1', '192.0.2.1', true],
    ['2001:db8::/32', '2001:db8::1', true],
    ['2001:db8::/32', '2001:db9::1', false],
  ] as const)('SE-13 a token for %s used from %s: %s', async ([addressRange, address, works]) => {
    const { token = '' } = await server.admin.createToken({ ttlSeconds: 0, spiffeId: '', addressRange }, server.local())
    const use = join(token, undefined, address)
    if (works) expect((await use).svid?.certChain).toHaveLength(1)
    else await expect(use).rejects.toThrowCode('JOIN_TOKEN_ADDRESS', addressRange)
  })

  test('SE-13 tokens that cannot be: short, without life, for a reserved or foreign id, for no range', async () => {
    const make = (changes: object) =>
      server.agents.createJoinToken({ ttl: 600, token: '', agentId: null, ...changes }, server.local())
    await expect(make({ ttl: 0 })).rejects.toThrowCode('JOIN_TOKEN_INVALID', 'ttl is required')
    await expect(make({ token: 'short' })).rejects.toThrowCode('JOIN_TOKEN_INVALID', '22 to 256')
    await expect(make({ agentId: idMessage('/spire/agent/x') })).rejects.toThrowCode('JOIN_TOKEN_INVALID', 'reserved')
    await expect(make({ agentId: idMessage('/x', 'other.org') })).rejects.toThrowCode('JOIN_TOKEN_INVALID', 'other.org')
    const token = 'a-token-that-somebody-chose'
    expect((await make({ token })).value).toBe(token)
    await expect(make({ token })).rejects.toThrowCode('JOIN_TOKEN_EXISTS')
    const range = { ttlSeconds: 60, spiffeId: '', addressRange: '10.0.0.0/33' }
    await expect(server.admin.createToken(range, server.local())).rejects.toThrowCode(
      'JOIN_TOKEN_INVALID',
      '10.0.0.0/33',
    )
  })

  test('the alias of a token is an entry below the agent that stays when the agent joins and goes with it', async () => {
    const token = await makeToken('/node/web-1')
    const hash = tokenHashOf(token)
    const alias = () => server.directory.entry(aliasEntryIdOfToken(hash))
    const agentId = agentIdOfToken(hash, trustDomain)
    expect(alias()?.expiresAt?.getTime()).toBe(server.clock.now().getTime() + 600_000)
    await join(token)
    expect(alias()).toMatchObject({ expiresAt: undefined, revisionNumber: 1 })
    expect(alias()?.selectors).toEqual([{ type: 'spiffe_id', value: agentId.toString() }])
    expect(server.directory.entitled(agentId).map(({ spiffeId }) => spiffeId.path)).toEqual(['/node/web-1'])
    await server.agents.deleteAgent({ id: idMessage(agentId.path) }, server.local())
    expect([alias(), server.directory.agent(agentId)]).toEqual([undefined, undefined])
    expect([...server.directory.entries()].filter(({ parentId }) => parentId.equals(agentId))).toEqual([])
  })

  test('the token of Admin.CreateToken comes with what an agent needs at first contact', async () => {
    const made = await server.admin.createToken({ ttlSeconds: 0, spiffeId: '', addressRange: '' }, server.local())
    expect(made).toMatchObject({
      serverAddress: 'server.test:8081',
      trustDomain: 'example.org',
      expiresAt: 1767225600 + 600,
    })
    expect(made.authorityHashes?.[0]?.length).toBe(32)
  })
})

describe('AttestAgent', () => {
  test('issues an agent SVID that only the server decides about, and remembers key, serial number and end', async () => {
    const keyPair = await newKey()
    const csr = await csrOf(keyPair, 'spiffe://example.org/spire/server')
    const result = await attest(server, 'join_token', Buffer.from(await makeToken()), csr)
    const leaf = decodeCertificate(Buffer.from(result.svid!.certChain![0]!))
    const agentId = `spiffe://example.org${result.svid?.id?.path ?? ''}`
    expect(leaf.uriSans).toEqual([agentId])
    expect(leaf.spki).toEqual(spkiOf(keyPair.publicKey))
    expect(result).toMatchObject({ reattestable: false, svid: { expiresAt: leaf.notAfter.getTime() / 1000 } })
    expect(server.directory.agent(agentId)).toMatchObject({
      attestationType: 'join_token',
      serialNumber: leaf.serialNumber.toString(),
      expiresAt: leaf.notAfter,
      keyHashes: [keyHashOf(leaf.spki)],
      canReattest: false,
      banned: false,
    })
  })

  test('SE-14 a CSR whose signature is not of its key is refused before the token is spent', async () => {
    const token = await makeToken()
    const csr = await csrOf(await newKey())
    csr[csr.length - 1]! ^= 1
    await expect(attest(server, 'join_token', Buffer.from(token), csr)).rejects.toThrowCode('CSR_INVALID')
    expect((await join(token)).svid?.certChain).toHaveLength(1)
  })

  test('refuses unknown attestors, missing parts and oversized payloads', async () => {
    const csr = await csrOf(await newKey())
    const token = Buffer.from('t')
    await expect(attest(server, 'aws_iid', token, csr)).rejects.toThrowCode(
      'ATTESTOR_UNKNOWN',
      'could not find node attestor',
    )
    await expect(attest(server, '', token, csr)).rejects.toThrowCode('ATTESTATION_INVALID', 'type is missing')
    await expect(attest(server, 'join_token', Buffer.alloc(0), csr)).rejects.toThrowCode(
      'ATTESTATION_INVALID',
      'payload',
    )
    await expect(attest(server, 'join_token', Buffer.alloc(257), csr)).rejects.toThrowCode(
      'ATTESTATION_INVALID',
      'longer',
    )
    await expect(attest(server, 'join_token', token, Buffer.alloc(0))).rejects.toThrowCode('ATTESTATION_INVALID', 'csr')
    await expect(attest(server, 'join_token', token, Buffer.alloc(99_999))).rejects.toThrowCode('CSR_INVALID', 'longer')
  })

  test('SE-22 refusals are counted for the journal, each with the address and the code', async () => {
    await expect(join('unknown', await newKey(), '192.0.2.9')).rejects.toThrowCode('JOIN_TOKEN_SPENT')
    expect(server.refused).toEqual([{ callerId: 'anyone:192.0.2.9', method: '/test/Test', code: 'JOIN_TOKEN_SPENT' }])
  })

  test('SE-22 a flood of uses of a spent token is not a flood of records', async () => {
    const token = await makeToken()
    await join(token)
    const before = (await server.audit()).length
    for (let use = 0; use < 20; use++) await expect(join(token)).rejects.toThrowCode('JOIN_TOKEN_SPENT')
    expect((await server.audit()).length).toBe(before + 1)
    server.advance(60_000)
    await expect(join(token)).rejects.toThrowCode('JOIN_TOKEN_SPENT')
    expect((await server.audit()).length).toBe(before + 2)
    expect(server.refused).toHaveLength(21)
  })

  test('SE-16 a node that says nothing loses its place after a time', async () => {
    const silent: AsyncIterable<AttestAgentRequest> = {
      [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => undefined) }),
    }
    const call = server.agents.attestAgent(silent, server.anyone())[Symbol.asyncIterator]().next()
    await new Promise((resolve) => setImmediate(resolve))
    server.fireTimers()
    await expect(call).rejects.toThrowCode('ATTESTATION_TIMEOUT', `${ATTESTATION_TIMEOUT_MS / 1000} s`)
  })
})

describe('return by proof of the last key', () => {
  let agentId: SpiffeId
  let lastKey: KeyPair

  beforeEach(async () => {
    lastKey = await newKey()
    const token = await makeToken('/node/web-1')
    await join(token, lastKey)
    agentId = agentIdOfToken(tokenHashOf(token), trustDomain)
  })

  /** As the agent does it; each part can be another. */
  async function rejoin(
    changes: { lastKey?: KeyPair; signedWith?: KeyPair; signedFor?: KeyPair; csrKey?: KeyPair } = {},
  ) {
    const presented = changes.lastKey ?? lastKey
    const newPair = changes.csrKey ?? (await newKey())
    const payload = encodeRejoinPayload({ agentId, lastSpki: spkiOf(presented.publicKey) })
    const answer = async (challenge: Buffer): Promise<Buffer> => {
      const nonce = Buffer.alloc(32, 7)
      const newSpki = spkiOf((changes.signedFor ?? newPair).publicKey)
      const signed = rejoinSignedBytes({
        agentId,
        challengeNonce: decodeRejoinChallenge(challenge),
        responseNonce: nonce,
        newSpki,
      })
      const { privateKey } = changes.signedWith ?? presented
      return encodeRejoinResponse({ nonce, signature: await cryptography.sign('ES256', privateKey, signed, 'der') })
    }
    return attest(server, REJOIN, payload, await csrOf(newPair), { answer })
  }

  /** The first call with the SVID that the agent was given last. */
  async function use({ publicKey }: KeyPair): Promise<void> {
    const { pendingSerialNumber: serialNumber = '', pendingExpiresAt: expiresAt = START } = server.directory.agent(
      agentId,
    ) as AttestedAgent
    const rule = new AgentRule(server.deps)
    await rule.check({ spiffeId: agentId, serialNumber, expiresAt, keyHash: keyHashOf(spkiOf(publicKey)) })
  }

  test('users’ rank 6: a node joined by token returns unattended, before and long after its SVID has expired', async () => {
    await rejoin({ csrKey: lastKey })
    await use(lastKey)
    server.advance(29 * 86_400_000)
    await server.authorities.rotate()
    await server.directory.reached(server.store.revision)
    const result = await rejoin()
    expect(result.svid?.id?.path).toBe(agentId.path)
    expect(server.directory.agent(agentId)).toMatchObject({ attestationType: 'join_token', canReattest: false })
    expect(server.directory.entitled(agentId).map(({ spiffeId }) => spiffeId.path)).toEqual(['/node/web-1'])
  })

  test('users’ rank 6: an answer that is lost costs another attempt; the key before the last goes with the first use of the new one', async () => {
    await rejoin()
    const newPair = await newKey()
    await rejoin({ csrKey: newPair })
    await use(newPair)
    await expect(rejoin()).rejects.toThrowCode('REJOIN_REFUSED', 'not its last key')
    await rejoin({ lastKey: newPair })
  })

  test('is refused after the window, after eviction, and when banned', async () => {
    server.advance(31 * 86_400_000)
    await expect(rejoin()).rejects.toThrowCode('REJOIN_REFUSED', 'away for too long')
    server.advance(-31 * 86_400_000)
    await server.agents.banAgent({ id: idMessage(agentId.path) }, server.local())
    await expect(rejoin()).rejects.toThrowCode('AGENT_REFUSED', 'banned')
    await server.agents.deleteAgent({ id: idMessage(agentId.path) }, server.local())
    await expect(rejoin()).rejects.toThrowCode('REJOIN_REFUSED', 'evicted')
  })

  test('is refused for another key, a signature of another key, and a proof that was made for another new key', async () => {
    const other = await newKey()
    await expect(rejoin({ lastKey: other })).rejects.toThrowCode('REJOIN_REFUSED', 'not its last key')
    await expect(rejoin({ signedWith: other })).rejects.toThrowCode('REJOIN_REFUSED', 'signature')
    await expect(rejoin({ signedFor: other })).rejects.toThrowCode('REJOIN_REFUSED', 'signature')
  })

  test('a replayed answer proves nothing: the challenge is another each time', async () => {
    const newPair = await newKey()
    const csr = await csrOf(newPair)
    const payload = encodeRejoinPayload({ agentId, lastSpki: spkiOf(lastKey.publicKey) })
    let recorded: Buffer | undefined
    const answer = async (challenge: Buffer): Promise<Buffer> => {
      if (recorded !== undefined) return recorded
      const nonce = Buffer.alloc(32, 7)
      const newSpki = spkiOf(newPair.publicKey)
      const signed = rejoinSignedBytes({
        agentId,
        challengeNonce: decodeRejoinChallenge(challenge),
        responseNonce: nonce,
        newSpki,
      })
      recorded = encodeRejoinResponse({
        nonce,
        signature: await cryptography.sign('ES256', lastKey.privateKey, signed, 'der'),
      })
      await expect(attest(server, REJOIN, payload, csr, { answer })).rejects.toThrowCode('REJOIN_REFUSED', 'signature')
      return recorded
    }
    await attest(server, REJOIN, payload, csr, { answer })
  })
})
