import { describe, expect, test } from 'vitest'
import { heldIdentities, quarantineWindow, type RegisteredEntry } from '../../../../src/policy/analysis/compromise.ts'
import { compile } from '../../../../src/policy/compile.ts'
import { acme, HOUR, idOf, MINUTE } from '../acme.ts'

const registered = (path: string, parent: string, ...selectors: string[]): RegisteredEntry => ({
  spiffeId: idOf(path),
  parent: idOf(parent),
  selectors,
  labels: {},
  x509TtlMs: undefined,
})

const entries = [
  registered('/ns/web/sa/a', '/agent/1', 'unix:uid:1', 'unix:path:/bin/a'),
  registered('/ns/web/sa/b', '/agent/1', 'unix:uid:1'),
  registered('/ns/web/sa/c', '/agent/1', 'unix:uid:2'),
  registered('/ns/web/sa/d', '/agent/2', 'unix:uid:1'),
  registered('/rack', '/agent/1', 'x:y'),
  registered('/ns/web/sa/e', '/rack', 'unix:uid:9'),
]

describe('heldIdentities()', () => {
  test('a key is one identity, a process all that its selectors satisfy on its node, a node all below it', () => {
    const held = (model: 'key' | 'workload' | 'node') => heldIdentities(entries, idOf('/ns/web/sa/a'), model)
    expect(held('key')).toEqual([idOf('/ns/web/sa/a')])
    expect(held('workload')).toEqual(['/ns/web/sa/a', '/ns/web/sa/b'].map(idOf))
    expect(held('node')).toEqual(['/ns/web/sa/a', '/ns/web/sa/b', '/ns/web/sa/c', '/rack', '/ns/web/sa/e'].map(idOf))
  })

  test('a process that satisfies fewer selectors gets no more', () => {
    expect(heldIdentities(entries, idOf('/ns/web/sa/b'), 'workload')).toEqual([idOf('/ns/web/sa/b')])
  })
})

describe('quarantineWindow()', () => {
  const id = idOf('/ns/web/sa/a')
  const tables = compile(acme, [])
  const windowOf = (x509TtlMs: number, services: string[]) =>
    quarantineWindow(tables, [{ ...registered('/ns/web/sa/a', '/agent/1'), x509TtlMs }], [id], services)

  test('SE-48: behind a cut-off agent it ends with the SVID or with hardStale, whichever is first', () => {
    // orders is of target 2: 24 h; ledger of target 4: 5 minutes.
    expect(windowOf(HOUR, ['orders'])).toEqual({ usualMs: 2000, cutOffMs: HOUR, endedBy: 'SVID life' })
    expect(windowOf(HOUR, ['ledger'])).toEqual({ usualMs: 2000, cutOffMs: 5 * MINUTE, endedBy: 'hardStale' })
    expect(windowOf(MINUTE, ['ledger'])).toMatchObject({ cutOffMs: MINUTE, endedBy: 'SVID life' })
    expect(windowOf(48 * HOUR, ['ledger', 'orders'])).toMatchObject({ cutOffMs: 24 * HOUR })
  })

  test('the lifetime is that of the entry, at most what the policy gives the zone', () => {
    const short = compile({ ...acme, settings: { ...acme.settings, x509TtlMs: { 1: 10 * MINUTE } } }, [])
    expect(quarantineWindow(short, [], [id], ['orders'])).toMatchObject({ cutOffMs: 10 * MINUTE })
  })
})
