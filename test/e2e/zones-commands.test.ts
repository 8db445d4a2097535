import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { House } from './house.ts'
import { runSallyport, type Finished } from './processes.ts'
import { zonesPolicy } from './zones-policy.ts'

// What an operator types, against one server and one agent. Two people: the user of the admin socket, and alice, who is known by
// her SPIFFE ID.

const uid = process.getuid?.() ?? 0
const id = (path: string): string => `spiffe://example.org${path}`
const nobody = ['--selector', 'unix:uid:4000000000']

let house: House

beforeAll(async () => {
  house = await House.open({
    serverYaml: `adminIds: ["${id('/ops/alice')}"]
policy:
  groups:
    owners: ["${id('/ops/alice')}"]
    commanders: ["${id('/ops/alice')}", "uid:${uid}"]`,
  })
  await house.register('/ops/alice')
  await house.register('/ops/bastion')
  for (const path of ['/web/store', '/web/blog', '/shop/orders', '/pay/ledger']) await house.register(path, ...nobody)
  writeFileSync(house.path('policy.yaml'), zonesPolicy())
  await house.json('policy', 'apply', house.path('policy.yaml'))
})

afterAll(async () => house?.[Symbol.asyncDispose]())

/** From elsewhere, as the identity that is named. */
const as = (path: string, ...args: readonly string[]): Promise<Finished> =>
  runSallyport([
    ...['--server-address', `127.0.0.1:${house.port}`, '--agent-socket', house.endpoint, '--as', id(path)],
    ...args,
  ])
const asAlice = (...args: readonly string[]): Promise<Finished> => as('/ops/alice', ...args)

async function failing(run: Promise<Finished>, code: string): Promise<Finished> {
  const outcome = await run
  expect(outcome.stderr).toMatch(new RegExp(`^error ${code}: [^]*\\n {2}→ .+\\n$`))
  return outcome
}

const explain = (...args: readonly string[]): Promise<Finished> => house.cli('policy', 'explain', ...args)

describe('quarantine', { timeout: 60_000 }, () => {
  test('add, list and rm; explain and mint go by it', async () => {
    const asked = ['--from', '/web/store', '--to', 'orders', '--http', 'GET /v1/orders/1']
    expect((await explain(...asked)).stdout).toMatch(/^ALLOW/)
    const added = await house.cli('quarantine', 'add', '/web/store', '--reason', 'stolen key')
    expect(added.stdout).toMatch(/^Quarantined identity spiffe:\/\/example\.org\/web\/store as q-[0-9a-f]{12}: /)
    const [item] = await house.json<{ id: string }[]>('quarantine', 'list')
    expect(item).toMatchObject({ target: id('/web/store'), reason: 'stolen key', by: `local:uid:${uid}`, ended: null })
    expect(await explain(...asked)).toMatchObject({
      code: 3,
      stdout: expect.stringMatching(/^DENY {2}lifecycle {2}QUARANTINED/),
    })
    expect((await house.cli('mint', 'x509', '--spiffe-id', id('/web/store'), '--write', house.path('mint'))).code).toBe(
      3,
    )
    await failing(house.cli('quarantine', 'add', id('/web/store'), '--reason', 'again'), 'LIFECYCLE_REFUSED')
    expect((await house.cli('quarantine', 'rm', item!.id, '--reason', 'new key')).stdout).toMatch(
      /^Lifted the quarantine/,
    )
    expect((await explain(...asked)).code).toBe(0)
    expect((await house.cli('quarantine', 'list')).stdout).toBe('Nothing is in quarantine.\n')
    expect(await house.json('quarantine', 'list', '--all')).toHaveLength(1)
  })

  test('of a zone closes it for whoever is in it; a path stands for the target too', async () => {
    await house.json('quarantine', 'add', '--zone', 'web', '--reason', 'drill', '--keep-open', 'web-to-shop')
    expect((await explain('--from', '/web/blog', '--to', 'ledger')).stdout).toContain('QUARANTINED')
    expect((await house.cli('quarantine', 'rm', 'web')).code).toBe(0)
    await house.json('quarantine', 'add', '/web/blog', '--reason', 'drill')
    expect((await house.cli('quarantine', 'rm', '/web/blog')).code).toBe(0)
  })

  test('of a node covers what it was issued, by the name that its token gave it', async () => {
    const { kind, identities } = await house.json<{ kind: string; identities: string[] }>(
      ...['quarantine', 'add', '--node', '/node/web-1', '--reason', 'root kit'],
    )
    expect([kind, identities]).toEqual(['node', expect.arrayContaining([id('/ops/alice'), id('/web/store')])])
    const [item] = await house.json<{ id: string }[]>('quarantine', 'list')
    await house.json('quarantine', 'rm', item!.id)
  })

  test('of an identity that nobody registered is done, and may be a slip of the pen', async () => {
    const added = await house.cli('quarantine', 'add', '/web/stoer', '--reason', 'stolen key')
    expect(added).toMatchObject({ code: 0, stderr: expect.stringContaining(`No entry registers ${id('/web/stoer')}`) })
    await house.cli('quarantine', 'rm', '/web/stoer')
    for (const whole of [id('/web/blog'), 'spiffe://partner.example/web/stoer']) {
      expect(await house.cli('quarantine', 'add', whole, '--reason', 'drill')).toMatchObject({ code: 0, stderr: '' })
      await house.cli('quarantine', 'rm', whole)
    }
  })

  test('says what is missing', async () => {
    expect(await failing(house.cli('quarantine', 'add', '--reason', 'x'), 'COMMAND_INVALID')).toMatchObject({ code: 2 })
    await failing(house.cli('quarantine', 'add', '/a', '--zone', 'web', '--reason', 'x'), 'COMMAND_INVALID')
    await failing(house.cli('quarantine', 'rm', 'q-000000000000'), 'LIFECYCLE_NOT_FOUND')
    await failing(house.cli('quarantine', 'add', '--zone', 'moon', '--reason', 'x'), 'LIFECYCLE_NOT_FOUND')
  })
})

describe('offboard and serial', { timeout: 60_000 }, () => {
  test('an identity goes out of service and comes back', async () => {
    expect((await house.cli('offboard', 'add', '/web/blog', '--reason', 'retired')).stdout).toMatch(/^Offboarded/)
    expect(await house.json('offboard', 'list')).toMatchObject([{ spiffeId: id('/web/blog'), complete: true }])
    expect((await explain('--from', '/web/blog', '--to', 'orders')).stdout).toMatch(/^DENY {2}lifecycle {2}OFFBOARDED/)
    expect((await house.cli('offboard', 'rm', '/web/blog')).stdout).toContain('in service again')
    expect((await house.cli('offboard', 'list')).stdout).toBe('No identity is out of service.\n')
  })

  test('a certificate is revoked by the number that the journal has, and its owner is found there', async () => {
    const [record] = await house.json<{ facts: { serialNumber: string } }[]>(
      ...['audit', 'list', '--type', 'x509-svid.issued', '--spiffe-id', id('/ops/bastion')],
    )
    const { serialNumber } = record!.facts
    const item = await house.json('serial', 'revoke', serialNumber, '--reason', 'core dump')
    expect(item).toMatchObject({ spiffeId: id('/ops/bastion'), serialNumber: BigInt(serialNumber).toString(16) })
    expect(await house.json('serial', 'list')).toHaveLength(1)
    await failing(house.cli('serial', 'revoke', 'zz', '--reason', 'x'), 'REQUEST_INVALID')
    await failing(house.cli('serial', 'revoke', 'abcdef', '--reason', 'x'), 'ITEM_NOT_FOUND')
  })
})

describe('grant and breakglass', { timeout: 60_000 }, () => {
  const asked = ['--from', '/ops/bastion', '--to', 'ledger', '--http', 'GET /v1/ledger']

  test('SE-46: a grant is asked for by one, approved by another, and ends when somebody says so', async () => {
    await failing(house.cli('grant', 'request', 'look-at-ledger', '--reason', 'index'), 'LIFECYCLE_REFUSED')
    const { id: grant } = await house.json<{ id: string }>(
      ...['grant', 'request', 'look-at-ledger', '--reason', 'index', '--ticket', 'INC-1', '--duration', '10m'],
    )
    expect((await house.cli('grant', 'list')).stdout).toMatch(/ pending +approve by \d{4}-.* \(in /)
    await failing(house.cli('grant', 'approve', grant), 'LIFECYCLE_REFUSED')
    expect((await explain(...asked)).code).toBe(3)
    const approved = await asAlice('grant', 'approve', grant)
    expect(approved.stdout).toMatch(/^Approved g-.* holds look-at-ledger until /)
    expect((await explain(...asked)).stdout).toContain(`grant ${grant}`)
    expect(await house.json('grant', 'list')).toMatchObject([
      { subject: id('/ops/bastion'), state: 'live', requester: `local:uid:${uid}`, approvers: [id('/ops/alice')] },
    ])
    expect((await house.cli('grant', 'revoke', grant, '--reason', 'done')).stdout).toMatch(/^Ended g-/)
    expect((await explain(...asked)).code).toBe(3)
    expect(await house.json('grant', 'list')).toEqual([])
  })

  test('§3.11: labels that move who holds a grant into another zone end it, and the journal says why', async () => {
    const { id: grant } = await house.json<{ id: string }>(
      ...['grant', 'request', 'look-at-ledger', '--reason', 'index', '--ticket', 'INC-3', '--duration', '10m'],
    )
    await asAlice('grant', 'approve', grant)
    const entries = await house.json<{ id: string; spiffeId: string }[]>('entry', 'list')
    const bastion = entries.find(({ spiffeId }) => spiffeId === id('/ops/bastion'))?.id ?? ''
    await house.json('entry', 'update', bastion, '--label', 'pci=true')
    let left: unknown[] = [grant]
    while (left.length > 0) left = await house.json<unknown[]>('grant', 'list')
    const [ended] = await house.json<{ facts: object }[]>('audit', 'list', '--type', 'grant.ended', '--limit', '1')
    expect(ended).toMatchObject({ facts: { grantId: grant, reason: expect.stringContaining('in zone ops') } })
    await house.json('entry', 'update', bastion, '--remove-label', 'pci')
    expect(await house.json('grant', 'list')).toEqual([])
  })

  test('SE-46: break-glass opens with the second person, and for the identities that it names', async () => {
    const { id: session } = await house.json<{ id: string }>(
      ...['breakglass', 'start', 'bg-shop', '--subject', '/ops/bastion', '--reason', 'INC-2', '--duration', '5m'],
    )
    await failing(house.cli('breakglass', 'approve', session), 'LIFECYCLE_REFUSED')
    expect((await explain(...asked)).code).toBe(3)
    expect((await asAlice('breakglass', 'approve', session)).stdout).toContain('is open from ops to shop, pay until')
    expect((await explain(...asked)).stdout).toContain(`break-glass ${session}`)
    expect((await explain('--from', '/ops/alice', '--to', 'ledger')).code).toBe(3)
    expect((await house.cli('breakglass', 'stop', session)).stdout).toContain('sallyport decisions list --from')
    expect(await house.json('breakglass', 'list', '--all')).toMatchObject([{ id: session, state: 'stopped' }])
  })

  test('names what there is when a template is not', async () => {
    const { stderr } = await failing(house.cli('grant', 'request', 'nothing'), 'LIFECYCLE_NOT_FOUND')
    expect(stderr).toContain('The policy has: look-at-ledger.')
  })
})

describe('labels', { timeout: 60_000 }, () => {
  test('ZO-11: create, list by, change for all entries of an identity, and remove', async () => {
    const fields = ['--spiffe-id', id('/web/till'), '--parent', house.nodeId]
    const first = await house.json<{ id: string; labels: object }>(
      ...[
        'entry',
        'create',
        ...fields,
        '--selector',
        'unix:uid:4000000001',
        '--label',
        'env=prod',
        '--label',
        'pci=true',
      ],
    )
    expect(first.labels).toEqual({ env: 'prod', pci: 'true' })
    const second = await house.json<{ id: string; labels: object }>(
      ...['entry', 'create', ...fields, '--selector', 'unix:uid:4000000002'],
    )
    expect(second.labels).toEqual(first.labels)
    expect((await explain('--from', '/web/till', '--to', 'orders')).stdout).toContain('zone pay (label pci=true)')
    expect(await house.json('entry', 'list', '--label', 'env=prod')).toHaveLength(2)
    expect(await house.json('entry', 'count', '--label', 'env=stage')).toEqual({ count: 0 })
    expect((await house.cli('entry', 'list', '--label', 'pci=true')).stdout).toContain('env=prod pci=true')
    await house.json('entry', 'update', first.id, '--label', 'env=stage', '--remove-label', 'pci', '--hint', 'till')
    for (const entry of [first.id, second.id])
      expect(await house.json('entry', 'show', entry)).toMatchObject({ labels: { env: 'stage' } })
    expect(await house.json('entry', 'show', first.id)).toMatchObject({ hint: 'till' })
    await failing(house.cli('entry', 'update', first.id, '--label', 'novalue'), 'REQUEST_INVALID')
  })

  test('entry apply: labels of a file, and those that a file says nothing about', async () => {
    const file = (labels: string): string =>
      [1, 2]
        .map(
          (n) =>
            `  - {spiffeId: "${id('/web/f')}", parent: "${house.nodeId}", selectors: [unix:uid:400000001${n}]${labels}}`,
        )
        .join('\n')
    const apply = async (labels: string): Promise<string> => {
      writeFileSync(house.path('entries.yaml'), `entries:\n${file(labels)}\n`)
      return (await house.cli('entry', 'apply', '-f', house.path('entries.yaml'))).stdout
    }
    expect(await apply(', labels: {env: prod}')).toContain('create 2, update 0')
    expect(await apply(', labels: {env: prod}')).toContain('update 0, delete 0, keep 2')
    expect(await apply('')).toContain('update 0, delete 0, keep 2')
    expect(await apply(', labels: {env: stage}')).toContain('update 2')
    expect(await house.json('entry', 'list', '--label', 'env=stage', '--spiffe-id', id('/web/f'))).toHaveLength(2)
    expect(await apply(', labels: {}')).toContain('update 2')
    expect(await house.json('entry', 'list', '--label', 'env=stage', '--spiffe-id', id('/web/f'))).toHaveLength(0)
  })
})

describe('--server-address', { timeout: 60_000 }, () => {
  test('SE-44: lets in who is an administrator by SPIFFE ID, and nobody else', async () => {
    expect((await asAlice('policy', 'list')).code).toBe(0)
    expect((await failing(as('/ops/bastion', 'policy', 'list'), 'CALL_REFUSED')).code).toBe(3)
    await failing(house.cli('--server-address', 'x:1', 'policy', 'list'), 'COMMAND_INVALID')
  })
})

describe('policy sign and policy key', { timeout: 60_000 }, () => {
  test('SE-45: a policy for a zone of target 4 waits for a signature that is made from the same file elsewhere', async () => {
    await using strict = await House.withServer({
      serverYaml: 'policy: { secondSigners: [second.pub.pem] }',
      before: async (folder) => {
        const { publicKey, privateKey } = generateKeyPairSync('ed25519')
        writeFileSync(`${folder}/second.pem`, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 })
        writeFileSync(`${folder}/server/second.pub.pem`, publicKey.export({ type: 'spki', format: 'pem' }))
        const stranger = generateKeyPairSync('ed25519').privateKey
        writeFileSync(`${folder}/stranger.pem`, stranger.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o644 })
      },
    })
    const [file, changed] = [strict.path('policy.yaml'), strict.path('changed.yaml')]
    writeFileSync(file, zonesPolicy().replace('id: pay,  target: 3', 'id: pay,  target: 4'))
    writeFileSync(
      changed,
      zonesPolicy().replace('id: pay,  target: 3', 'id: pay,  target: 4').replace('/web/store', '/web/blog'),
    )
    const waits = await strict.cli('policy', 'apply', file)
    expect(waits.stdout).toContain('waits for a second signature over')
    expect((await strict.cli('policy', 'list')).stdout).toContain('pending')
    const sign = (path: string, key: string) => runSallyport(['policy', 'sign', path, '--key', strict.path(key)])
    const submit = (signature: string) => {
      writeFileSync(strict.path('signature.json'), signature)
      return strict.cli('policy', 'submit', strict.path('signature.json'))
    }
    await failing(submit((await sign(changed, 'second.pem')).stdout), 'POLICY_NOT_FOUND')
    const strange = await sign(file, 'stranger.pem')
    expect(strange.stderr).toContain('warning: Other users can read')
    await failing(submit(strange.stdout), 'POLICY_SIGNATURE_REFUSED')
    await failing(submit('{}'), 'REQUEST_INVALID')
    const { stdout } = await sign(file, 'second.pem')
    expect((await submit(stdout)).stdout).toBe('Applied policy shop as revision 1.\n')
    const keys = await strict.json<{ keys: { use: string }[] }>('policy', 'key', 'list')
    expect(keys.keys.map(({ use }) => use)).toEqual(['policy', 'second'])
  })

  test('SE-45: the key that signs is replaced, the old one revoked, and the agent follows', async () => {
    const list = () =>
      house.json<{ keys: { keyId: string; state: string }[]; waitingFor: string[] }>('policy', 'key', 'list')
    const [first] = (await list()).keys
    await house.json('policy', 'key', 'rotate', '--reason', 'drill')
    expect((await list()).keys.map(({ state }) => state).toSorted()).toEqual(['active', 'old'])
    await house.json('policy', 'key', 'revoke', first!.keyId.slice(0, 12), '--reason', 'drill')
    expect((await list()).keys.find(({ keyId }) => keyId === first!.keyId)?.state ?? 'revoked').toBe('revoked')
    await vi.waitFor(async () => expect((await list()).waitingFor).toEqual([]), { timeout: 20_000, interval: 500 })
    await failing(house.cli('policy', 'key', 'revoke', 'ffff', '--reason', 'x'), 'POLICY_KEY_NOT_FOUND')
  })
})
