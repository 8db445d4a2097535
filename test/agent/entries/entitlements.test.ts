import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { watchMatched } from '../../../agent/entries/entitled.ts'
import { Entitlements } from '../../../agent/entries/entitlements.ts'
import type { Matched } from '../../../agent/entries/subscription.ts'
import { bundleOf } from '../../../src/bundle/bundle.ts'
import type { RegistrationEntry } from '../../../src/entry/registration-entry.ts'
import { parseSelector, selectorsMatch } from '../../../src/entry/selector.ts'
import { ViewDigest } from '../../../src/entry/view-digest.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { changes } from '../../fakes/changes.ts'
import { settled } from '../../fakes/fake-clock.ts'
import { anEntry, anInstant } from '../../fakes/store-objects.ts'

const example = TrustDomain.parse('example.org')
const selectors = (...texts: string[]) => texts.map(parseSelector)
const bundle = (name: string, sequenceNumber = 1, refreshHintSeconds = 0) =>
  bundleOf({ trustDomain: TrustDomain.parse(name), sequenceNumber, refreshHintSeconds })

describe('Entitlements', () => {
  test('WA-18 matches oldest registration first, then by id', () => {
    const entitlements = new Entitlements(example)
    const [b, a, c] = [
      anEntry('b', { createdAt: anInstant(5) }),
      anEntry('a', { createdAt: anInstant(5) }),
      anEntry('c', { createdAt: anInstant(1) }),
    ]
    entitlements.replace([b, a, c], [])
    expect(entitlements.matching(selectors('unix:uid:1000'))).toEqual([c, a, b])
  })

  test('an entry matches only when all of its selectors are held', () => {
    const entitlements = new Entitlements(example)
    entitlements.replace([anEntry('a', { selectors: selectors('unix:uid:1000', 'unix:gid:7') })], [])
    expect(entitlements.matching(selectors('unix:uid:1000'))).toEqual([])
    expect(entitlements.matching(selectors('unix:uid:1000', 'unix:gid:7', 'unix:user:x'))).toHaveLength(1)
  })

  test('entries for secret stores and aliases of nodes match no process', () => {
    const entitlements = new Entitlements(example)
    const alias = anEntry('alias', { selectors: selectors('spiffe_id:spiffe://example.org/spire/agent/x') })
    entitlements.replace([anEntry('store', { storeSvid: true }), alias], [])
    expect(entitlements.matching(selectors('unix:uid:1000'))).toEqual([])
    expect(entitlements.matching(alias.selectors)).toEqual([])
  })

  test('finds the same entries as comparing each of them, after any changes', () => {
    const selector = fc.constantFrom('a:1', 'a:2', 'b:1', 'b:2', 'c:1').map(parseSelector)
    const entry = fc
      .record({
        id: fc.constantFrom('e1', 'e2', 'e3', 'e4'),
        selectors: fc.uniqueArray(selector, { minLength: 1, selector: ({ type, value }) => `${type}${value}` }),
        revisionNumber: fc.nat(100_000),
      })
      .map(({ id, ...fields }) => anEntry(id, fields))
    const change = fc.oneof(
      fc.record({ put: entry }),
      fc.record({ remove: fc.constantFrom('e1', 'e2', 'e3', 'e4') }),
      fc.record({ replace: fc.uniqueArray(entry, { selector: ({ id }) => id }) }),
    )
    fc.assert(
      fc.property(fc.array(change), fc.uniqueArray(selector), (steps, held) => {
        const entitlements = new Entitlements(example)
        let model = new Map<string, RegistrationEntry>()
        for (const step of steps) {
          if ('put' in step) {
            entitlements.apply(changes({ entries: [step.put] }))
            model.set(step.put.id, step.put)
          } else if ('remove' in step) {
            entitlements.apply(changes({ removedEntryIds: [step.remove] }))
            model.delete(step.remove)
          } else {
            entitlements.replace(step.replace, [])
            model = new Map(step.replace.map((one) => [one.id, one]))
          }
        }
        const printed = new Set(held.map(({ type, value }) => `${type}:${value}`))
        const expected = [...model.values()].filter((one) => selectorsMatch(one.selectors, printed)).map(({ id }) => id)
        expect(
          entitlements
            .matching(held)
            .map(({ id }) => id)
            .toSorted(),
        ).toEqual(expected.toSorted())
        expect(entitlements.digest.equals(ViewDigest.of(model.values(), []).bytes)).toBe(true)
      }),
    )
  })

  test('a server that was set back may bring another content under a revision that is held', () => {
    const entitlements = new Entitlements(example)
    entitlements.replace([anEntry('a', { revisionNumber: 5, selectors: selectors('unix:uid:1000') })], [])
    const again = anEntry('a', { revisionNumber: 5, selectors: selectors('unix:uid:2000') })
    expect(entitlements.replace([again], []).changedEntryIds).toEqual(['a'])
    expect(entitlements.matching(selectors('unix:uid:1000'))).toEqual([])
    expect(entitlements.matching(selectors('unix:uid:2000'))).toEqual([again])
    expect(entitlements.replace([anEntry('a', { ...again })], []).changedEntryIds).toEqual([])
  })

  test('the digest after a change is known before it is applied', () => {
    const ids = fc.uniqueArray(fc.constantFrom('a', 'b', 'c', 'd'))
    const names = fc.uniqueArray(fc.constantFrom('example.org', 'other.org', 'third.org'))
    const revision = fc.integer({ min: 0, max: 2 })
    const change = fc.record({ put: ids, removed: ids, bundles: names, gone: names, revision }).map((made) =>
      changes({
        entries: made.put.map((id) => anEntry(id, { revisionNumber: made.revision })),
        removedEntryIds: made.removed,
        bundles: made.bundles.map((name) => bundle(name, made.revision + 1)),
        removedTrustDomains: made.gone.filter((name) => !made.bundles.includes(name)),
      }),
    )
    fc.assert(
      fc.property(fc.array(change), (all) => {
        const entitlements = new Entitlements(example)
        for (const one of all) {
          const expected = entitlements.digestAfter(one)
          entitlements.apply(one)
          expect(entitlements.digest).toEqual(expected)
        }
      }),
    )
  })

  test('the own bundle cannot be taken away; foreign ones can', () => {
    const entitlements = new Entitlements(example)
    entitlements.replace([], [bundle('example.org'), bundle('other.org')])
    entitlements.apply(changes({ removedTrustDomains: ['example.org', 'other.org'] }))
    expect(entitlements.ownBundle).toBeDefined()
    expect(entitlements.bundles.get('other.org')).toBeUndefined()
  })
})

describe('watchMatched()', () => {
  const watching = (entitlements: Entitlements, ...held: string[]) => {
    const seen: Matched[] = []
    const stop = new AbortController()
    const done = (async () => {
      for await (const matched of watchMatched(entitlements, selectors(...held), stop.signal)) seen.push(matched)
    })().catch(() => undefined)
    return { seen, stop: () => (stop.abort(new Error('stopped')), done) }
  }

  test('WA-08 tells only of what concerns these selectors', async () => {
    const entitlements = new Entitlements(example)
    const watch = watching(entitlements, 'unix:uid:1000')
    await settled()
    entitlements.apply(changes({ entries: [anEntry('other', { selectors: selectors('unix:uid:7') })] }))
    await settled()
    expect(watch.seen).toHaveLength(1)
    entitlements.apply(changes({ entries: [anEntry('mine')] }))
    await settled()
    expect(watch.seen.at(-1)?.entries.map(({ id }) => id)).toEqual(['mine'])
    entitlements.apply(changes({ removedEntryIds: ['mine'] }))
    await settled()
    expect(watch.seen.map(({ entries }) => entries.length)).toEqual([0, 1, 0])
    await watch.stop()
  })

  test('WA-08 the same entry or bundle again is no change', async () => {
    const entitlements = new Entitlements(example)
    entitlements.replace([anEntry('a')], [bundle('example.org', 1)])
    const watch = watching(entitlements, 'unix:uid:1000')
    await settled()
    entitlements.apply(changes({ entries: [anEntry('a')], bundles: [bundle('example.org', 2)] }))
    await settled()
    expect(watch.seen).toHaveLength(1)
    await watch.stop()
  })

  test('WA-30 brings the bundles that the entries federate with, and never the own one among them', async () => {
    const entitlements = new Entitlements(example)
    const federatesWith = [TrustDomain.parse('other.org'), example]
    entitlements.replace(
      [anEntry('a', { federatesWith })],
      [bundle('example.org'), bundle('other.org'), bundle('third.org')],
    )
    const watch = watching(entitlements, 'unix:uid:1000')
    await settled()
    expect(watch.seen[0]?.federatedBundles.map(({ trustDomain }) => trustDomain.name)).toEqual(['other.org'])
    entitlements.apply(changes({ bundles: [bundle('third.org', 2, 60)] }))
    await settled()
    expect(watch.seen).toHaveLength(1)
    entitlements.apply(changes({ bundles: [bundle('other.org', 2, 60)] }))
    await settled()
    expect(watch.seen).toHaveLength(2)
    await watch.stop()
  })
})

describe('Entitlements.delivered()', () => {
  test('resolves once every stream concerned has asked for the next state', async () => {
    const entitlements = new Entitlements(example)
    const stop = new AbortController()
    const stream = watchMatched(entitlements, selectors('unix:uid:1000'), stop.signal)
    await stream.next()
    const idle = stream.next()
    await settled()
    const { sequence } = entitlements.apply(changes({ entries: [anEntry('a')] }))
    let delivered = false
    const waiting = entitlements.delivered(sequence).then(() => (delivered = true))
    await idle
    await settled()
    expect(delivered).toBe(false)
    const after = stream.next()
    await waiting
    expect(entitlements.undelivered).toBe(0)
    stop.abort(new Error('stopped'))
    await expect(after).rejects.toThrow('stopped')
  })

  test('whoever gives up waiting is not kept', async () => {
    const entitlements = new Entitlements(example)
    const never = watchMatched(entitlements, selectors('unix:uid:1000'), new AbortController().signal)
    await never.next()
    const { sequence } = entitlements.replace([anEntry('a')], [])
    const stop = new AbortController()
    const waiting = entitlements.delivered(sequence, stop.signal)
    expect(entitlements.waiters).toBe(1)
    stop.abort()
    await waiting
    expect(entitlements.waiters).toBe(0)
  })

  test('streams that a change does not concern, and those that end, hold nothing back', async () => {
    const entitlements = new Entitlements(example)
    const stop = new AbortController()
    const stream = watchMatched(entitlements, selectors('unix:uid:1000'), stop.signal)
    await stream.next()
    const unconcerned = entitlements.apply(changes({ entries: [anEntry('b', { selectors: selectors('unix:uid:7') })] }))
    await entitlements.delivered(unconcerned.sequence)
    const { sequence } = entitlements.apply(changes({ entries: [anEntry('a')] }))
    const waiting = entitlements.delivered(sequence)
    await stream.return(undefined as never)
    await waiting
  })
})
