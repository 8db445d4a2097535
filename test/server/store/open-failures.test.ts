import { execFileSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../../src/clock.ts'
import { silentLog } from '../../../src/log/log.ts'
import type { SallyportError } from '../../../src/errors.ts'
import { migrations } from '../../../server/store/schema.ts'
import { openSqliteStore, type SqliteStoreOptions } from '../../../server/store/sqlite.ts'
import { anEntry, creating } from '../../fakes/store-objects.ts'

let folder: string
let path: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sallyport-store-'))
  path = join(folder, 'server.db')
})
afterEach(() => rmSync(folder, { recursive: true }))

const open = (options: Partial<SqliteStoreOptions> = {}) =>
  openSqliteStore({ path, clock: systemClock, log: silentLog, ...options })

async function fill(count = 1): Promise<void> {
  await using store = await open()
  await store.commitAll(Array.from({ length: count }, (_, index) => creating(anEntry(`e${index}`))))
}

describe('openSqliteStore()', () => {
  test('makes a file that only its owner reads, in a folder that only its owner enters', async () => {
    path = join(folder, 'data', 'server.db')
    await using _store = await open()
    const modes = [join(folder, 'data'), path, `${path}-wal`, `${path}-shm`, `${path}.lock`].map(
      (file) => statSync(file).mode & 0o777,
    )
    expect(modes).toEqual([0o700, 0o600, 0o600, 0o600, 0o600])
  })

  test('refuses a file or a folder that others can read', async () => {
    await fill()
    chmodSync(path, 0o640)
    await expect(open()).rejects.toThrowCode('STORE_PERMISSIONS', 'mode 640')
    chmodSync(path, 0o600)
    chmodSync(folder, 0o755)
    const error = await open().catch((refusal: unknown) => refusal)
    expect(error).toThrowCode('STORE_PERMISSIONS', 'mode 755')
    expect((error as SallyportError).hint).toContain('chmod 700')
    chmodSync(folder, 0o700)
    await (await open())[Symbol.asyncDispose]()
  })

  test('refuses a path where no file can be', async () => {
    writeFileSync(join(folder, 'file'), '')
    await expect(open({ path: join(folder, 'file', 'server.db') })).rejects.toThrowCode(
      'STORE_PERMISSIONS',
      'Cannot make',
    )
    mkdirSync(path, { mode: 0o700 })
    await expect(open()).rejects.toThrowCode('STORE_PERMISSIONS')
  })

  test('refuses a database that is open already, and takes it when that ends', async () => {
    const first = await open()
    const error = await open().catch((refusal: unknown) => refusal)
    expect(error).toThrowCode('STORE_LOCKED', 'another process')
    expect((error as SallyportError).hint).toContain('Stop the other server')
    await first[Symbol.asyncDispose]()
    await (await open())[Symbol.asyncDispose]()
  })

  test('refuses a file that is no database, or a damaged one, and does not touch it', async () => {
    const garbage = Buffer.alloc(8192, 'not a database ')
    writeFileSync(path, garbage, { mode: 0o600 })
    await expect(open()).rejects.toThrowCode('STORE_CORRUPT')
    expect(readFileSync(path)).toEqual(garbage)
  })

  test('names damage that it finds while it reads', async () => {
    await fill(2_000)
    const bytes = readFileSync(path)
    bytes.fill(0xa5, 40 * 4096, bytes.length - 4096)
    writeFileSync(path, bytes)
    const reading = async () => {
      await using store = await open()
      await store.snapshot()
    }
    await expect(reading()).rejects.toThrowCode('STORE_CORRUPT')
  })

  test('names a row that says what we never wrote', async () => {
    await fill()
    using db = new DatabaseSync(path)
    for (const body of ['{"id":', '{"id":"e0","spiffeId":"http://x","parentId":"","selectors":[]}', '{}']) {
      db.prepare('UPDATE entries SET body = ?').run(body)
      await using store = await open()
      await expect(store.snapshot()).rejects.toThrowCode('STORE_CORRUPT')
    }
  })

  test('refuses a database of another program', async () => {
    using db = new DatabaseSync(path)
    db.exec('CREATE TABLE theirs (x)')
    chmodSync(path, 0o600)
    await expect(open()).rejects.toThrowCode('STORE_FOREIGN')
  })

  test('refuses a database of a newer version', async () => {
    await fill()
    const later = { version: 99, sql: 'CREATE TABLE later (x)' }
    await (await open({ migrations: [...migrations, later] }))[Symbol.asyncDispose]()
    await expect(open()).rejects.toThrowCode('STORE_NEWER', 'form 99')
  })

  test('copies the database before a migration, and leaves it as it was when one fails', async () => {
    await fill()
    const newest = migrations.length
    const more = { version: newest + 1, sql: 'CREATE TABLE more (x)' }
    const bad = [...migrations, more, { version: newest + 2, sql: 'CREATE nonsense' }]
    await expect(open({ migrations: bad })).rejects.toThrowCode('STORE_FAILED')
    const backup = `${path}.before-migration-from-${newest}`
    expect(statSync(backup).mode & 0o777).toBe(0o600)
    rmSync(path)
    copyFileSync(backup, path)
    await using store = await open()
    expect((await store.snapshot()).entries.length).toBe(1)
  })

  test('gives a copy that was put back a new epoch, and a database that stayed its old one', async () => {
    const epochs: string[] = []
    const note = async (): Promise<void> => {
      await using store = await open()
      epochs.push(store.epoch)
    }
    await note()
    await note()
    copyFileSync(path, `${path}.backup`)
    rmSync(path)
    copyFileSync(`${path}.backup`, path)
    await note()
    expect(epochs[1]).toBe(epochs[0])
    expect(epochs[2]).not.toBe(epochs[0])
  })

  test.for([
    ['onto the file', () => copyFileSync(`${path}.backup`, path)],
    [
      'with the note of how it was left',
      () => {
        copyFileSync(`${path}.backup`, path)
        copyFileSync(`${path}.closed.backup`, `${path}.closed`)
      },
    ],
    ['with its times', () => execFileSync('cp', ['-a', `${path}.backup`, path])],
  ] as const)('SE-45: a backup that is copied %s is noticed', async ([, putBack]) => {
    const { epoch } = await opened()
    copyFileSync(path, `${path}.backup`)
    copyFileSync(`${path}.closed`, `${path}.closed.backup`)
    expect((await opened()).epoch).toBe(epoch)
    putBack()
    const restored = await opened()
    expect(restored.epoch).not.toBe(epoch)
    expect(await opened()).toEqual(restored)
  })

  test('SE-45: a backup is noticed also after a start that failed with it', async () => {
    const { epoch } = await opened()
    copyFileSync(path, `${path}.backup`)
    expect((await opened()).epoch).toBe(epoch)
    copyFileSync(`${path}.backup`, path)
    const broken = { version: migrations.length + 1, sql: 'CREATE nonsense' }
    await expect(open({ migrations: [...migrations, broken] })).rejects.toThrowCode('STORE_FAILED')
    expect((await opened()).epoch).not.toBe(epoch)
  })

  test('a database whose server was killed is not taken for another one', async () => {
    const { epoch } = await opened()
    rmSync(`${path}.closed`)
    expect((await opened()).epoch).toBe(epoch)
  })
})

async function opened(): Promise<{ readonly epoch: string }> {
  await using store = await open()
  return { epoch: store.epoch }
}

describe('a full disk', () => {
  test('refuses the change, keeps what was acknowledged, and goes on when there is room', async () => {
    const acknowledged: string[] = []
    const filling = async (): Promise<void> => {
      await using store = await open({ limits: { databaseBytes: 1024 * 1024 } })
      for (let index = 0; ; index++) {
        await store.commit(creating(anEntry(`e${index}`, { hint: 'x'.repeat(1000) })))
        acknowledged.push(`e${index}`)
      }
    }
    await expect(filling()).rejects.toThrowCode('STORE_FULL')
    expect(acknowledged.length).toBeGreaterThan(100)
    await using store = await open()
    const { entries, revision } = await store.snapshot()
    expect(entries.map(({ id }) => id)).toEqual(acknowledged)
    expect(await store.commit(creating(anEntry('more')))).toMatchObject({ ok: true, revision: revision + 1 })
  })
})

describe('the queue', () => {
  test('turns callers away when too much waits, and takes them again', async () => {
    await using store = await open({ limits: { queueTransactions: 10, groupTransactions: 2 } })
    const entries = Array.from({ length: 25 }, (_, index) => creating(anEntry(`e${index}`)))
    const results = await Promise.allSettled(entries.map((transaction) => store.commit(transaction)))
    const refused = results
      .filter((result) => result.status === 'rejected')
      .map(({ reason }) => reason as SallyportError)
    expect(results.length - refused.length).toBe(10)
    for (const error of refused) expect(error).toThrowCode('STORE_BUSY')
    expect(refused[0]?.row.grpc).toBe('UNAVAILABLE')
    expect((await store.commitAll(entries)).filter(({ ok }) => ok).length).toBe(15)
  })

  test('is limited in bytes too', async () => {
    await using store = await open({ limits: { queueBytes: 10_000 } })
    const big = (id: string) => store.commit(creating(anEntry(id, { hint: 'x'.repeat(9_000) })))
    const [first, second] = await Promise.allSettled([big('a'), big('b')])
    expect(first?.status).toBe('fulfilled')
    expect((second as PromiseRejectedResult).reason).toThrowCode('STORE_BUSY')
  })

  test('is emptied before the store closes', async () => {
    const store = await open()
    const commits = Array.from({ length: 600 }, (_, index) => store.commit(creating(anEntry(`e${index}`))))
    await store[Symbol.asyncDispose]()
    expect((await Promise.all(commits)).every(({ ok }) => ok)).toBe(true)
  })
})
