import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, test } from 'vitest'
import { explainPolicy } from '../../cli/policy-explain.ts'
import { testPolicy } from '../../cli/policy-test.ts'
import { validatePolicy } from '../../cli/policy-validate.ts'
import { changed, SMALL } from '../src/policy-file/small-policy.ts'

const folder = mkdtempSync(join(tmpdir(), 'sallyport-policy-'))
const files = { count: 0 }
function fileOf(text: string): string {
  const path = join(folder, `${++files.count}.yaml`)
  writeFileSync(path, text)
  return path
}

afterAll(() => rmSync(folder, { recursive: true }))

afterEach(() => {
  process.exitCode = undefined
})

const output = 'table'

describe('policy validate', () => {
  test('ends with 0 for a policy in order, 1 for errors, and 2 for warnings only when it is strict', async () => {
    // Reviews of the small policy are due in 2027, so that the day on which the test runs does not count.
    const later = (text: string): string => text.replaceAll('2027-', '2999-')
    const order = await validatePolicy({ strict: true }, fileOf(later(SMALL)))
    expect([process.exitCode, order.value]).toEqual([0, expect.objectContaining({ errors: 0, warnings: 0 })])
    const dead = fileOf(later(changed(['from: [/web/front], to', 'from: [/ops/alice], to'])))
    await validatePolicy({ strict: false }, dead)
    expect(process.exitCode).toBe(0)
    await validatePolicy({ strict: true }, dead)
    expect(process.exitCode).toBe(2)
    await validatePolicy({ strict: false }, fileOf(changed(['maxDuration: 2h', 'maxDuration: 9h'])))
    expect(process.exitCode).toBe(1)
  })

  test('lists the problems of a file that cannot be read as findings, with what to do', async () => {
    const path = fileOf(changed(['target: 1', 'targt: 1']))
    const { sentence, value } = await validatePolicy({ strict: false }, path)
    expect(process.exitCode).toBe(1)
    expect(sentence).toContain(
      `error FIELD_UNKNOWN: ${path}:7:16 zones.0: unknown key "targt", did you mean "target"?\n  → `,
    )
    expect(value).toMatchObject({
      errors: 2,
      findings: [{ code: 'FIELD_MISSING', line: 7 }, { code: 'FIELD_UNKNOWN' }],
    })
  })

  test('knows who is registered, when it is told', async () => {
    const policy = fileOf(SMALL)
    const spiffeId = 'spiffe://example.org/web/front'
    const entries = fileOf(JSON.stringify([{ spiffeId, labels: { env: 'prod' } }, { spiffeId }]))
    await validatePolicy({ strict: false }, policy)
    expect(process.exitCode).toBe(0)
    const { value } = await validatePolicy({ strict: false, entries }, policy)
    expect(process.exitCode).toBe(1)
    expect(value).toMatchObject({ findings: [{ code: 'LABELS_DIFFER' }] })
  })

  test('tells what a policy comes to, once it has no errors', async () => {
    const wide = changed(['from: [/shop/orders], to: ledger', 'from: [/shop/*], to: ledger'])
    const codes = async (text: string): Promise<unknown> =>
      ((await validatePolicy({ strict: false }, fileOf(text))).value as { findings: { code: string }[] }).findings.map(
        ({ code }) => code,
      )
    expect(await codes(wide.replaceAll('2027-', '2999-'))).toEqual(['WILDCARD_INTO_HIGH_TARGET', 'LEVEL_BELOW_TARGET'])
    expect(await codes(wide.replace('maxDuration: 2h', 'maxDuration: 9h'))).not.toContain('LEVEL_BELOW_TARGET')
  })

  test('a file that is not there is another failure', async () => {
    await expect(validatePolicy({ strict: false }, join(folder, 'gone.yaml'))).rejects.toThrowCode(
      'FILE_UNUSABLE',
      'ENOENT',
    )
  })
})

describe('policy test', () => {
  test('ends with 0 when all hold and says what no test uses', async () => {
    const result = await testPolicy({ output, coverage: true }, fileOf(SMALL))
    expect(process.exitCode).toBe(0)
    expect(result?.sentence).toContain('1 of 3 rules are used by a test\n  not used: post')
  })

  test('ends with 1 and names what came out otherwise', async () => {
    const result = await testPolicy({ output }, fileOf(changed(['conduit: web-shop, rule: read', 'conduit: shop-pay'])))
    expect(process.exitCode).toBe(1)
    expect(result?.sentence).toContain('FAIL  front reads\n        expected conduit shop-pay, got web-shop')
  })

  test('compares with a base', async () => {
    const text = changed(
      ['actions: [read], owner: s', 'actions: [read, write], owner: s'],
      ['invariants:', 'invariants:\n  - { id: same, kind: noNewAccess }'],
    )
    const result = await testPolicy({ output, base: fileOf(SMALL) }, fileOf(text))
    expect(process.exitCode).toBe(1)
    expect(result?.sentence).toContain('spiffe://example.org/web/front gains write on orders')
  })

  test('does not test a policy with errors', async () => {
    expect(
      await testPolicy({ output: 'json' }, fileOf(changed(['maxDuration: 2h', 'maxDuration: 9h']))),
    ).toBeUndefined()
    expect(process.exitCode).toBe(1)
  })
})

describe('policy explain', () => {
  const request = { output, policy: fileOf(SMALL), from: '/web/front', to: 'orders' } as const

  test('ends with 0 for allow and 3 for deny', async () => {
    expect((await explainPolicy({ ...request, http: 'GET /orders/1' })).value).toMatchObject({ decision: 'allow' })
    expect(process.exitCode).toBe(0)
    expect((await explainPolicy({ ...request, http: 'GET /orders/../1' })).value).toMatchObject({
      code: 'PATH_DOT_SEGMENT',
    })
    expect(process.exitCode).toBe(3)
  })

  test('takes labels, a grant, a port and an instant', async () => {
    const value = async (more: object): Promise<unknown> =>
      (await explainPolicy({ ...request, http: 'GET /orders/1', ...more })).value
    expect(await value({ label: ['tier=shop'] })).toMatchObject({ src: { zone: 'shop' }, code: 'NO_CONDUIT' })
    expect(await value({ from: '/ops/alice' })).toMatchObject({ decision: 'deny' })
    expect(await value({ from: '/ops/alice', withGrant: 'look' })).toMatchObject({ decision: 'allow' })
    expect(await value({ from: '/ops/bob', withGrant: 'look' })).toMatchObject({ decision: 'deny' })
    expect(await value({ port: '1' })).toMatchObject({ code: 'PORT_MISMATCH' })
    const partner = { from: 'spiffe://partner.example/billing/settle', to: 'ledger', rpc: 'l.L/Post', http: undefined }
    expect(await value({ ...partner, at: '2027-05-31T23:59:59Z' })).toMatchObject({
      decision: 'allow',
      expires: '2027-06-01T00:00:00.000Z',
    })
    expect(await value({ ...partner, at: '2027-06-01T00:00:00Z' })).toMatchObject({ code: 'CONDUIT_EXPIRED' })
  })

  test.for([
    [{ http: 'GET' }, 'is not a request'],
    [{ http: 'GET /', rpc: 'a.B/C' }, 'two requests'],
    [{ port: '0' }, 'is not a port'],
    [{ at: '2027-01-01' }, 'is not an instant'],
    [{ label: ['env'] }, 'is not a label'],
    [{ withGrant: 'none' }, 'no grant template'],
  ] as const)('refuses %o', async ([more, why]) => {
    await expect(explainPolicy({ ...request, ...more })).rejects.toThrowCode('REQUEST_INVALID', why)
  })
})
