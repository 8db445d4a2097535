import { generateKeyPairSync, sign, verify } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { secondSignerOf } from '../../../server/policy/open-policy.ts'
import { secondSignatureText } from '../../../server/policy/second-signature.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import { readSlice } from '../../../src/policy/read-slice.ts'
import type { Call } from '../../../src/wire/call.ts'
import type { SignedPolicyKeys } from '../../../src/wire/messages/sallyport-policy-v1.ts'
import type { ApplyPolicyRequest } from '../../../src/wire/messages/sallyport-server-v1.ts'
import { anId, creating } from '../../fakes/store-objects.ts'
import { shopEntries, shopEntry, shopPolicy } from '../policy/shop-policy.ts'
import { testServer, type TestServer } from './test-server.ts'

const elsewhere = generateKeyPairSync('ed25519')
const secondSigner = secondSignerOf(elsewhere.publicKey.export({ type: 'spki', format: 'pem' }), 'key.pem')

const DAY_MS = 86_400_000
const zone = (mode: string): string =>
  `  - { id: old, target: 1, sensitivity: internal, admin: none, mode: ${mode}, owner: a, members: [ { spiffe: /old/** } ] }`

describe('Policies', () => {
  let server: TestServer
  let admin: Call

  beforeEach(async () => {
    server = await testServer({ secondSigners: [secondSigner] })
    await server.commit(creating(...shopEntries))
    admin = server.local()
  })
  afterEach(() => server[Symbol.asyncDispose]())

  const apply = (source: string, fields: Partial<ApplyPolicyRequest> = {}) =>
    server.policies.apply({ source, dryRun: false, acceptLoss: false, note: '', ...fields }, admin)
  const types = async (): Promise<string[]> => (await server.audit()).map(({ type }) => type)

  test('SE-45: each applied policy is the next revision, with who, when and why', async () => {
    const { revision } = await apply(shopPolicy(), { note: 'first' })
    expect(revision).toMatchObject({ revision: 1, name: 'shop', appliedBy: 'local:uid:0', note: 'first' })
    const again = await apply(shopPolicy())
    expect(again).toMatchObject({ unchanged: true, revision: { revision: 1 } })
    const second = await apply(
      shopPolicy({ rules: '  - { id: x, from: [ /web/blog ], to: orders, actions: [ read ], owner: a }' }),
    )
    expect(second.revision).toMatchObject({ revision: 2 })
    expect(server.book.current?.row.source).toContain('/web/blog')
    expect((await types()).filter((type) => type === 'policy.applied')).toHaveLength(2)
    const { revisions } = await server.policies.list({ limit: 0, beforeRevision: 0 }, admin)
    expect(revisions?.map((one) => [one.revision, one.source])).toEqual([
      [2, ''],
      [1, ''],
    ])
    expect((await server.policies.get({ revision: 1, pending: false }, admin)).source).toBe(shopPolicy())
  })

  test('a policy that is wrong changes nothing, and says all that is wrong', async () => {
    await expect(apply('kind: PolicySet')).rejects.toThrowCode('POLICY_INVALID')
    const wrong = shopPolicy({ rules: '  - { id: x, from: [ /web/blog ], to: nowhere, actions: [ read ], owner: a }' })
    await expect(apply(wrong)).rejects.toThrowCode('POLICY_INVALID', 'nowhere')
    await expect(
      apply(shopPolicy().replace('trustDomain: example.org', 'trustDomain: other.test')),
    ).rejects.toThrowCode('POLICY_INVALID', 'other.test')
    const { findings } = await server.policies.validate({ source: wrong }, admin)
    expect(findings?.find(({ severity }) => severity === 'error')?.line).toBeGreaterThan(1)
    expect(server.book.policyRevision).toBe(0)
  })

  test('an ambiguous registered identity is refused', async () => {
    const twice =
      '  - { id: twin, target: 1, sensitivity: internal, admin: none, mode: enforce, owner: a, members: [ { entryLabel: { team: a } } ] }\n  - { id: twin2, target: 1, sensitivity: internal, admin: none, mode: enforce, owner: a, members: [ { entryLabel: { env: b } } ] }'
    await apply(shopPolicy({ zones: twice }), { dryRun: true })
    await server.commit(creating(shopEntry('both', '/web/both', { labels: { team: 'a', env: 'b' } })))
    await expect(apply(shopPolicy({ zones: twice }))).rejects.toThrowCode('POLICY_INVALID', '/web/both')
  })

  test('a change that was made from another revision is refused', async () => {
    await apply(shopPolicy(), { expectedBase: 0 })
    await expect(apply(shopPolicy({ rules: '' }), { expectedBase: 0 })).rejects.toThrowCode('POLICY_BASE_STALE')
  })

  test('a dry run says what would be and changes nothing', async () => {
    const { revision, dryRun } = await apply(shopPolicy(), { dryRun: true })
    expect([revision?.revision, dryRun]).toEqual([1, true])
    expect(server.book.policyRevision).toBe(0)
    expect(await types()).not.toContain('policy.applied')
  })

  test('a policy that takes the last right of a zone in use is applied only when the loss is accepted', async () => {
    await apply(shopPolicy())
    const without = shopPolicy().replace(/ {2}- \{ id: web-orders.*\n/, '')
    await expect(apply(without)).rejects.toThrowCode('POLICY_WOULD_LOSE', 'zone web')
    expect(server.book.policyRevision).toBe(1)
    const { losses } = await server.policies.validate({ source: without }, admin)
    expect(losses?.map(({ kind, zone }) => [kind, zone])).toEqual([['zone', 'web']])
    await apply(without, { acceptLoss: true })
    expect(server.book.policyRevision).toBe(2)
  })

  // Policies of megabytes are slow to read.
  const slow = { timeout: 300_000 }

  test(
    'a policy of which an identity would be told nothing is applied only when the loss is accepted',
    slow,
    async () => {
      const wordy = Array.from(
        { length: 3500 },
        (_, at) =>
          `  - { id: c${at}, from: web, to: shop, allow: [ { protocol: http, ports: [8443] } ], owner: a, review: 2099-03-01, justification: ${'x'.repeat(900)} }`,
      )
      const source = shopPolicy({ conduits: wordy.join('\n') })
      const why = /the slice of spiffe:\/\/example.org\/(web\/store|shop\/orders) and of one other would take 3.\d MB/
      await expect(apply(source)).rejects.toThrowCode('POLICY_WOULD_LOSE', 'the slice of')
      expect(server.book.policyRevision).toBe(0)
      const { findings, losses } = await apply(source, { acceptLoss: true })
      expect(findings?.filter(({ code }) => code === 'SLICE_TOO_LONG')).toMatchObject([
        { severity: 'warning', message: expect.stringMatching(why) },
      ])
      expect(losses).toMatchObject([{ kind: 'slice', message: expect.stringMatching(why) }])
      expect(server.book.policyRevision).toBe(1)
      const again = await server.policies.validate({ source: source.replace(': xx', ': xy') }, admin)
      expect(again.losses).toEqual([])
    },
  )

  test('tells of a zone that has observed for more than 60 days', async () => {
    const observing = shopPolicy({ zones: zone('observe') })
    await apply(shopPolicy({ zones: zone('enforce') }))
    server.advance(10 * DAY_MS)
    await apply(observing)
    const codes = async (): Promise<unknown> =>
      (await server.policies.validate({ source: observing }, admin)).findings?.map(({ code }) => code)
    server.advance(60 * DAY_MS)
    expect(await codes()).not.toContain('OBSERVE_TOO_LONG')
    server.advance(1)
    expect(await codes()).toContain('OBSERVE_TOO_LONG')
  })

  test("a policy that cuts the caller's own way in is a loss", async () => {
    await apply(shopPolicy({ rules: '  - { id: x, from: [ /web/admin ], to: orders, actions: [ read ], owner: a }' }))
    await server.commit(creating(shopEntry('admin', '/web/admin')))
    admin = server.callBy({
      ...{ kind: 'admin', spiffeId: anId('/web/admin'), expiresAt: new Date(0), address: '', roles: ['admin'] },
      entryId: undefined,
    })
    await expect(apply(shopPolicy())).rejects.toThrowCode(
      'POLICY_WOULD_LOSE',
      'administrator spiffe://example.org/web/admin',
    )
  })

  test('SE-45: a rollback is a new revision with the old text', async () => {
    await apply(shopPolicy())
    await apply(shopPolicy({ rules: '  - { id: x, from: [ /web/blog ], to: orders, actions: [ read ], owner: a }' }))
    const options = { dryRun: false, acceptLoss: false, note: 'undo' }
    const { revision } = await server.policies.rollback({ toRevision: 0, ...options }, admin)
    expect(revision).toMatchObject({ revision: 3, rolledBackTo: 1 })
    expect(server.book.current?.row.source).toBe(shopPolicy())
    await expect(server.policies.rollback({ toRevision: 9, ...options }, admin)).rejects.toThrowCode('POLICY_NOT_FOUND')
  })

  test('without a policy, or one before it, a rollback says so', async () => {
    const back = () => server.policies.rollback({ toRevision: 0, dryRun: false, acceptLoss: false, note: '' }, admin)
    await expect(back()).rejects.toMatchObject({
      message: 'No policy is applied',
      hint: expect.stringContaining('sallyport policy apply'),
    })
    await apply(shopPolicy())
    await expect(back()).rejects.toThrowCode('POLICY_NOT_FOUND', 'before the first')
  })

  describe('SE-45: with a zone of target 4', () => {
    const pay = shopPolicy({
      zones:
        '  - { id: pay, target: 4, sensitivity: restricted, admin: none, mode: enforce, owner: a, members: [ { spiffe: /pay/** } ] }',
    })
    const digestOf = async (): Promise<Buffer> =>
      Buffer.from((await server.policies.get({ revision: 0, pending: true }, admin)).digest ?? [])
    const submit = (digest: Buffer, signature: Buffer) =>
      server.policies.submitSignature({ digest, keyId: Buffer.from(secondSigner.keyId, 'hex'), signature }, admin)

    test('a policy waits until a key of another machine has signed its digest', async () => {
      const { pending, revision } = await apply(pay)
      expect([pending, revision?.revision]).toEqual([true, 0])
      expect(server.book.policyRevision).toBe(0)
      const digest = await digestOf()
      const wrong = sign(null, Buffer.from('something else'), elsewhere.privateKey)
      await expect(submit(digest, wrong)).rejects.toThrowCode('POLICY_SIGNATURE_REFUSED')
      const right = sign(null, secondSignatureText(digest.toString('hex')), elsewhere.privateKey)
      await expect(submit(Buffer.alloc(32), right)).rejects.toThrowCode('POLICY_NOT_FOUND')
      const applied = await submit(digest, right)
      expect(applied.revision).toMatchObject({ revision: 1, secondSignatures: [{ signature: right }] })
      expect(server.book.policyRevision).toBe(1)
      await expect(submit(digest, right)).rejects.toThrowCode('POLICY_NOT_FOUND')
    })

    test('what waits is not applied on top of something newer', async () => {
      await apply(pay)
      const digest = await digestOf()
      await apply(shopPolicy())
      const signature = sign(null, secondSignatureText(digest.toString('hex')), elsewhere.privateKey)
      await expect(submit(digest, signature)).rejects.toThrowCode('POLICY_BASE_STALE')
    })
  })

  describe('SE-45: policy keys', () => {
    const keySet = async (): Promise<SignedPolicyKeys> => {
      const { keys } = await server.policies.getSlice({ spiffeId: 'spiffe://example.org/web/store' }, admin)
      return keys as SignedPolicyKeys
    }
    const signersOf = ({ signatures }: SignedPolicyKeys): string[] =>
      signatures.map(({ keyId }) => keyId.toString('hex'))

    test('a set is not called known while an agent has not come back after a start', async () => {
      const { waitingFor: none } = await server.policies.listKeys({}, admin)
      server.unheard.push(SpiffeId.parse('spiffe://example.org/spire/agent/a'))
      const { waitingFor } = await server.policies.listKeys({}, admin)
      expect([none, waitingFor]).toEqual([[], ['spiffe://example.org/spire/agent/a']])
    })

    test('a slice is signed by the active key, which stands in a set signed by itself', async () => {
      await apply(shopPolicy())
      const { slice } = await server.policies.getSlice({ spiffeId: 'spiffe://example.org/web/store' }, admin)
      const { keys = [] } = await server.policies.listKeys({}, admin)
      const [active] = keys
      const key = { key: Buffer.from(active?.publicKey ?? []), format: 'der', type: 'spki' } as const
      const content = Buffer.from(slice?.content ?? [])
      expect(verify(null, content, key, Buffer.from(slice?.signatures?.[0]?.signature ?? []))).toBe(true)
      const document = readSlice(content)
      expect(document).toMatchObject({ revision: 1, spiffeId: 'spiffe://example.org/web/store' })
      expect(document.policy.rules.map(({ id }) => id)).toEqual(['web-orders'])
      const set = await keySet()
      expect(verify(null, set.content, key, set.signatures[0]?.signature ?? Buffer.alloc(0))).toBe(true)
    })

    test('after a rotation both keys sign the set, so that whoever pinned one can follow', async () => {
      await apply(shopPolicy())
      const before = signersOf(await keySet())
      await server.policies.rotateKey({ reason: 'yearly' }, admin)
      const set = await keySet()
      expect(signersOf(set)).toEqual([...before, expect.any(String)])
      expect(JSON.parse(set.content.toString())).toMatchObject({ version: 2 })
      const { slice } = await server.policies.getSlice({ spiffeId: 'spiffe://example.org/web/store' }, admin)
      expect(Buffer.from(slice?.signatures?.[0]?.keyId ?? []).toString('hex')).toBe(signersOf(set)[1])
    })

    test('a revoked key is no longer in the set, says so itself once, and is gone', async () => {
      await apply(shopPolicy())
      const [revoked = ''] = signersOf(await keySet())
      await server.policies.revokeKey({ keyId: Buffer.from(revoked, 'hex'), reason: 'stolen' }, admin)
      const set = await keySet()
      const document = JSON.parse(set.content.toString()) as { keys: { keyId: string; use: string }[] }
      expect(document.keys.filter(({ use }) => use === 'policy').map(({ keyId }) => keyId)).not.toContain(revoked)
      expect(signersOf(set)).toContain(revoked)
      await server.policies.rotateKey({ reason: '' }, admin)
      expect(signersOf(await keySet())).not.toContain(revoked)
      const revokeAgain = server.policies.revokeKey({ keyId: Buffer.from(revoked, 'hex'), reason: '' }, admin)
      await expect(revokeAgain).rejects.toThrowCode('POLICY_KEY_NOT_FOUND')
      expect(await types()).toEqual(expect.arrayContaining(['policy-key.revoked', 'policy-key.rotated']))
    })
  })

  test('an entry that comes while a policy is being applied is a member of it', async () => {
    await apply(shopPolicy())
    const source = shopPolicy({
      rules: '  - { id: x, from: [ /web/blog ], to: orders, actions: [ read ], owner: a }',
    })
    const [, outcome] = await Promise.all([
      apply(source),
      server.store.commit(creating(shopEntry('blog', '/web/blog'))),
      server.store.commit({ mutations: [{ kind: 'entry.delete', id: 'bob' }], audit: [] }),
    ])
    expect(outcome.ok).toBe(true)
    await server.book.reached(server.store.revision)
    const rows = [...(server.book.current?.members.rows() ?? [])].map(({ spiffeId }) => spiffeId)
    expect(rows).toContain(anId('/web/blog').toString())
    expect(rows).not.toContain(anId('/ops/bob').toString())
    expect(server.book.current?.members.size).toBe(rows.length)
  })

  test('members are told with the zone they are in and why', async () => {
    await apply(shopPolicy())
    const ids = ['spiffe://example.org/web/store']
    const pages = server.policies.listMembers({ spiffeIds: ids, zone: '' }, admin)
    const members = (await Array.fromAsync(pages)).flatMap((page) => page.members ?? [])
    expect(members).toEqual([{ spiffeId: ids[0], zones: ['web'], via: 'pattern /web/**', labels: {} }])
    expect(await server.policies.getStatus({}, admin)).toMatchObject({ revision: 1, members: 5, unplaced: 0 })
  })
})
