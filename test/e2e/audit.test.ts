import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { House } from './house.ts'

// The journal against somebody who can write the database file.

let house: House

beforeAll(async () => {
  house = await House.open()
  for (const name of ['one', 'two', 'three']) await house.register(`/audited/${name}`)
  const entries = await house.json<{ id: string; spiffeId: string }[]>('entry', 'list')
  await house.json('entry', 'delete', entries.find(({ spiffeId }) => spiffeId.endsWith('/audited/two'))!.id)
})

afterAll(async () => house?.[Symbol.asyncDispose]())

async function lastCheckpoint(): Promise<number> {
  const status = await house.json<{ checkpoints?: { sequence: number }[] }>('status', '--of', 'agent')
  return Math.max(0, ...(status.checkpoints ?? []).map(({ sequence }) => sequence))
}

/** Kills the server, changes its database behind its back, starts it again. */
async function tampered(...sql: readonly string[]): Promise<void> {
  await house.server?.stop('SIGKILL')
  {
    using db = new DatabaseSync(house.path('server/data/sallyport.db'))
    for (const statement of sql) db.exec(statement)
  }
  await house.startServer()
}

const verify = () => house.cli('audit', 'verify')

test('SE-22 a journal that nobody touched is intact, also after a restart, as its heads that the agent keeps bear out', async () => {
  const deleted = await house.json<{ sequence: number }[]>('audit', 'list', '--type', 'entry.deleted')
  await expect
    .poll(async () => lastCheckpoint(), { timeout: 15_000, interval: 500 })
    .toBeGreaterThanOrEqual(deleted.at(-1)!.sequence)
  expect(await verify()).toMatchObject({ code: 0, stdout: expect.stringMatching(/Intact.*[1-9]\d* checkpoints/) })
  await tampered()
  expect((await verify()).code).toBe(0)
})

test('SE-22 an edited record is found, and so is one that is put back', async () => {
  await tampered(`UPDATE audit_records SET facts = replace(facts, 'two', 'six') WHERE type = 'entry.deleted'`)
  const { code, stderr } = await verify()
  expect(code).toBe(1)
  expect(stderr).toContain('AUDIT_BROKEN')
  await tampered(`UPDATE audit_records SET facts = replace(facts, 'six', 'two') WHERE type = 'entry.deleted'`)
  expect((await verify()).code).toBe(0)
})

test('SE-22 a removed record is found', async () => {
  await tampered(
    'CREATE TABLE aside AS SELECT * FROM audit_records WHERE sequence = 5',
    'DELETE FROM audit_records WHERE sequence = 5',
  )
  expect((await verify()).stderr).toContain('AUDIT_BROKEN')
  await tampered('INSERT INTO audit_records SELECT * FROM aside', 'DROP TABLE aside')
  expect((await verify()).code).toBe(0)
})

test('SE-22 a tail that was cut is found by what the agent holds, even when the journal is in order again', async () => {
  // Everything from before the deletion on goes, and the head is set back: without a witness nothing would be wrong.
  const cut = `(SELECT max(sequence) FROM audit_links WHERE sequence < (SELECT max(sequence) FROM audit_records WHERE type = 'entry.deleted'))`
  await tampered(
    `UPDATE state SET audit_hash = (SELECT hash FROM audit_links WHERE sequence = ${cut}), audit_sequence = ${cut}`,
    'DELETE FROM audit_records WHERE sequence > (SELECT audit_sequence FROM state)',
    'DELETE FROM audit_links WHERE sequence > (SELECT audit_sequence FROM state)',
  )
  const { code, stderr } = await verify()
  expect(code).toBe(1)
  expect(stderr).toContain('AUDIT_BROKEN')
  // The server alone finds nothing: that is what checkpoints are for.
  const alone = await house.cli('--agent-admin-socket', house.path('nowhere.sock'), 'audit', 'verify')
  expect(alone).toMatchObject({ code: 0, stdout: expect.stringContaining('compared with 0 checkpoints') })
})
