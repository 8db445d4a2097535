import { copyFileSync, cpSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { House } from './house.ts'
import { zonesPolicy } from './zones-policy.ts'

// Backups that are older than the revocation of the policy keys in them, put back: what agents think of them, and the ways out.

interface KeyList {
  readonly keys: readonly { readonly keyId: string; readonly state: string }[]
  readonly waitingFor: readonly string[]
  readonly refusedBy: readonly string[]
}
interface AgentStatus {
  readonly policy: {
    readonly refused: string
    readonly epoch: number
    readonly revision: number
    readonly stale: boolean
  }
}

let house: House
beforeAll(async () => {
  house = await House.open()
  await house.register('/web/store')
  await apply('enforce')
}, 90_000)
afterAll(() => house?.[Symbol.asyncDispose]())

async function eventually<T>(read: () => Promise<T>, holds: (value: T) => boolean): Promise<T> {
  const giveUp = Date.now() + 150_000
  for (;;) {
    const value = await read()
    if (holds(value)) return value
    if (Date.now() > giveUp) throw new Error(`did not come true: ${JSON.stringify(value)}`)
    await sleep(100)
  }
}

const agentStatus = () => house.json<AgentStatus>('status', '--of', 'agent')
const keyList = () => house.json<KeyList>('policy', 'key', 'list')
const activeKey = async (): Promise<string> => {
  const { keys } = await keyList()
  return keys.find(({ state }) => state === 'active')?.keyId ?? ''
}

/** Applies a policy that differs from the one before, and waits until the agent holds it. */
let applied = 0
async function apply(mode: 'observe' | 'enforce'): Promise<void> {
  writeFileSync(
    house.path('policy.yaml'),
    `${zonesPolicy(mode)}\n# ${++applied}\n`.replace(/name: \w+/, `name: p${applied}`),
  )
  const { revision } = await house.json<{ revision: { revision: number; epoch: number } }>(
    ...['policy', 'apply', house.path('policy.yaml')],
  )
  await eventually(
    agentStatus,
    ({ policy }) => policy.revision === revision.revision && policy.epoch === revision.epoch,
  )
}

/** Another key signs, and the one that did is destroyed; the agent follows. */
async function replaceKey(): Promise<void> {
  const old = await activeKey()
  await house.json('policy', 'key', 'rotate', '--reason', 'drill')
  await eventually(keyList, ({ waitingFor }) => waitingFor.length === 0)
  await house.json('policy', 'key', 'revoke', old, '--reason', 'drill')
  await eventually(keyList, ({ waitingFor }) => waitingFor.length === 0)
}

async function whileStopped(action: () => void): Promise<void> {
  await house.server?.stop()
  action()
  await house.startServer()
}

const refuses = () => eventually(agentStatus, ({ policy }) => policy.refused.startsWith('POLICY_KEYS_UNTRUSTED: '))

async function isWell(): Promise<void> {
  await eventually(agentStatus, ({ policy }) => policy.refused === '' && !policy.stale)
  await apply('observe')
  await apply('enforce')
  expect(await keyList()).toMatchObject({ refusedBy: [] })
}

test('a key that agents still trust vouches for those of the backup', async () => {
  await whileStopped(() => cpSync(house.serverData, house.path('backup'), { recursive: true }))
  await replaceKey()
  await whileStopped(() => {
    renameSync(house.serverData, house.path('before'))
    cpSync(house.path('backup'), house.serverData, { recursive: true })
  })
  await refuses()
  await eventually(keyList, ({ refusedBy }) => refusedBy.length === 1)
  expect((await house.cli('policy', 'key', 'list')).stdout).toContain('sallyport policy key recover --help')
  const keyFiles = (folder: string) => readdirSync(join(folder, 'keys')).filter((name) => name.startsWith('policy-'))
  const [file = ''] = keyFiles(house.path('before'))
  const recover = (path: string) => house.cli('policy', 'key', 'recover', '--key', path, '--reason', 'restored')
  // That of the backup itself is the one that they do not trust.
  const own = await recover(join(house.serverData, 'keys', keyFiles(house.serverData)[0] ?? ''))
  expect(own).toMatchObject({ code: 3, stderr: expect.stringContaining('signed the current set already') })
  expect(await recover(house.path('policy.yaml'))).toMatchObject({ stderr: expect.stringContaining('FILE_UNUSABLE') })
  await refuses()
  expect(await recover(join(house.path('before'), 'keys', file))).toMatchObject({ code: 0 })
  await isWell()
  const [vouched] = await house.json<{ type: string; facts: object }[]>('audit', 'list', '--type', 'policy-key.vouched')
  expect(vouched).toMatchObject({ facts: { reason: 'restored' } })
}, 480_000)

test('where no such key is left, somebody names the key of now on the node', async () => {
  rmSync(house.path('backup'), { recursive: true })
  await whileStopped(() => cpSync(house.serverData, house.path('backup'), { recursive: true }))
  await replaceKey()
  await whileStopped(() => {
    rmSync(house.serverData, { recursive: true })
    cpSync(house.path('backup'), house.serverData, { recursive: true })
  })
  await refuses()
  const repin = (keyId: string) => house.cli('agent', 'repin', keyId)
  expect(await repin('ab'.repeat(32))).toMatchObject({ stderr: expect.stringContaining('none of its keys') })
  expect(await repin('abcd')).toMatchObject({ code: 2, stderr: expect.stringContaining('COMMAND_INVALID') })
  expect(await repin(await activeKey())).toMatchObject({ code: 0 })
  await isWell()
  expect(await repin(await activeKey())).toMatchObject({ stderr: expect.stringContaining('POLICY_KEYS_NOT_OFFERED') })
}, 480_000)

test('where the keys were kept and only the database is of earlier, agents follow by themselves', async () => {
  const database = join(house.serverData, 'sallyport.db')
  await whileStopped(() => copyFileSync(database, house.path('earlier.db')))
  await replaceKey()
  // Onto the file, which stays the same one.
  await whileStopped(() => copyFileSync(house.path('earlier.db'), database))
  await isWell()
}, 480_000)
