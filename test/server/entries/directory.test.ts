import fc from 'fast-check'
import { afterEach, describe, expect, test } from 'vitest'
import { Directory } from '../../../server/entries/directory.ts'
import type { Mutation } from '../../../server/store/store.ts'
import type { RegistrationEntry } from '../../../src/entry/registration-entry.ts'
import { parseSelector, printSelector } from '../../../src/entry/selector.ts'
import { silentLog } from '../../../src/log/log.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { FakeClock, settled } from '../../fakes/fake-clock.ts'
import { MemoryStore } from '../../fakes/memory-store.ts'
import { aBundle, anAgent, anEntry, anId, anInstant, doing } from '../../fakes/store-objects.ts'

const trustDomain = TrustDomain.parse('example.org')
const SERVER = anId('/spire/server')
let open = new AsyncDisposableStack()
afterEach(async () => {
  await open.disposeAsync()
  open = new AsyncDisposableStack()
})

async function directoryOf(...mutations: readonly Mutation[]): Promise<{
  directory: Directory
  store: MemoryStore
  clock: FakeClock
  change: (...more: readonly Mutation[]) => Promise<void>
}> {
  const clock = new FakeClock()
  const store = new MemoryStore({ clock })
  for (const mutation of mutations) expect((await store.commit(doing(mutation))).ok).toBe(true)
  const directory = open.use(await Directory.open({ store, trustDomain, clock, log: silentLog }))
  const change = async (...more: readonly Mutation[]): Promise<void> => {
    const outcome = await store.commit(doing(...more))
    if (!outcome.ok) throw new Error(`conflict: ${outcome.reason}`)
    await directory.reached(outcome.revision)
  }
  return { directory, store, clock, change }
}

const creating = (entry: RegistrationEntry): Mutation => ({ kind: 'entry.create', entry })
const joining = (path: string, ...selectors: readonly string[]): Mutation => ({
  kind: 'agent.put',
  agent: anAgent(path, { selectors: selectors.map(parseSelector) }),
})
const idsOf = (entries: readonly RegistrationEntry[]): string[] => entries.map(({ id }) => id).toSorted()

describe('entitled()', () => {
  test('an agent may hold what is below its own id and nothing else', async () => {
    const { directory } = await directoryOf(
      joining('a', 'x:1'),
      creating(anEntry('own', { parentId: anId('/spire/agent/a') })),
      creating(anEntry('other', { parentId: anId('/spire/agent/b') })),
    )
    expect(idsOf(directory.entitled(anId('/spire/agent/a')))).toEqual(['own'])
    expect(directory.isEntitled(anId('/spire/agent/a'), 'own')).toBe(true)
    expect(directory.isEntitled(anId('/spire/agent/a'), 'other')).toBe(false)
    expect(directory.entitled(anId('/spire/agent/unknown'))).toEqual([])
  })

  test('an agent answers to an alias when its node has all of the selectors', async () => {
    const alias = anEntry('alias', {
      parentId: SERVER,
      spiffeId: anId('/node/web'),
      selectors: ['dc:1', 'rack:2'].map(parseSelector),
    })
    const { directory } = await directoryOf(
      joining('both', 'dc:1', 'rack:2', 'more:3'),
      joining('one', 'dc:1'),
      creating(alias),
      creating(anEntry('w', { parentId: anId('/node/web') })),
    )
    expect(idsOf(directory.entitled(anId('/spire/agent/both')))).toEqual(['w'])
    expect(directory.entitled(anId('/spire/agent/one'))).toEqual([])
    expect(directory.isEntitled(anId('/spire/agent/both'), 'alias')).toBe(false)
  })

  test('an alias may name one agent by its id, from either parent', async () => {
    const selectors = [parseSelector(`spiffe_id:${anId('/spire/agent/a').toString()}`)]
    const { directory } = await directoryOf(
      joining('a'),
      joining('b'),
      creating(anEntry('n1', { parentId: SERVER, spiffeId: anId('/node/1'), selectors })),
      creating(anEntry('n2', { parentId: anId('/spire/agent/a'), spiffeId: anId('/node/2'), selectors })),
      creating(anEntry('w1', { parentId: anId('/node/1') })),
      creating(anEntry('w2', { parentId: anId('/node/2'), spiffeId: anId('/w2') })),
    )
    expect(idsOf(directory.entitled(anId('/spire/agent/a')))).toEqual(['n2', 'w1', 'w2'])
    expect(directory.entitled(anId('/spire/agent/b'))).toEqual([])
    expect(idsOf(directory.aliasEntriesOf(anId('/spire/agent/a')))).toEqual(['n1', 'n2'])
  })

  test('entries below the ids of entries count, cycles end', async () => {
    const { directory } = await directoryOf(
      joining('a'),
      creating(anEntry('1', { parentId: anId('/spire/agent/a'), spiffeId: anId('/p') })),
      creating(anEntry('2', { parentId: anId('/p'), spiffeId: anId('/q') })),
      creating(anEntry('3', { parentId: anId('/q'), spiffeId: anId('/p') })),
    )
    expect(idsOf(directory.entitled(anId('/spire/agent/a')))).toEqual(['1', '2', '3'])
    expect(directory.isEntitled(anId('/spire/agent/a'), '3')).toBe(true)
    expect(directory.isEntitled(anId('/spire/agent/b'), '3')).toBe(false)
  })

  test.for(['admin', 'downstream'] as const)(
    'SE-12 an entry marked %s is for the exact agent, never for an alias',
    async (mark) => {
      const { directory } = await directoryOf(
        joining('a', 'x:1'),
        creating(anEntry('alias', { parentId: SERVER, spiffeId: anId('/node/1'), selectors: [parseSelector('x:1')] })),
        creating(anEntry('exact', { parentId: anId('/spire/agent/a'), [mark]: true })),
        creating(anEntry('below', { parentId: anId('/node/1'), [mark]: true })),
        creating(anEntry('nested', { parentId: anId('/workload/exact'), [mark]: true, spiffeId: anId('/n') })),
      )
      expect(idsOf(directory.entitled(anId('/spire/agent/a')))).toEqual(['exact'])
      expect(directory.isEntitled(anId('/spire/agent/a'), 'below')).toBe(false)
      expect(directory.isEntitled(anId('/spire/agent/a'), 'nested')).toBe(false)
      expect(idsOf(directory.privilegedEntries())).toEqual(['below', 'exact', 'nested'])
    },
  )

  test('nobody is entitled to an entry from its end on, or to what hangs below it', async () => {
    const { directory, clock } = await directoryOf(
      joining('a'),
      creating(anEntry('1', { parentId: anId('/spire/agent/a'), spiffeId: anId('/p'), expiresAt: anInstant(60) })),
      creating(anEntry('2', { parentId: anId('/p') })),
    )
    expect(idsOf(directory.entitled(anId('/spire/agent/a')))).toEqual(['1', '2'])
    await clock.advance(60_000)
    expect(directory.entitled(anId('/spire/agent/a'))).toEqual([])
    expect(directory.isEntitled(anId('/spire/agent/a'), '1')).toBe(false)
    expect(directory.isEntitled(anId('/spire/agent/a'), '2')).toBe(false)
    expect(idsOf(directory.expiredEntries(clock.now()))).toEqual(['1'])
  })
})

// A small world in which aliases, nesting and privileges meet often.
const agentPaths = ['a', 'b', 'c'] as const
const parents = [...agentPaths.map((path) => `/spire/agent/${path}`), '/spire/server', '/n/1', '/n/2', '/n/3']
const anyEntry = fc.record({
  id: fc.constantFrom('e1', 'e2', 'e3', 'e4', 'e5', 'e6'),
  parent: fc.constantFrom(...parents),
  spiffe: fc.constantFrom('/n/1', '/n/2', '/n/3', '/w'),
  selectors: fc.subarray(['s:1', 's:2', 's:3'], { minLength: 1 }),
  admin: fc.boolean(),
})
const anyStep = fc.oneof(
  fc.record({ do: fc.constant('put' as const), entry: anyEntry }),
  fc.record({ do: fc.constant('delete' as const), id: fc.constantFrom('e1', 'e2', 'e3', 'e4', 'e5', 'e6') }),
  fc.record({
    do: fc.constant('agent' as const),
    path: fc.constantFrom(...agentPaths),
    selectors: fc.subarray(['s:1', 's:2', 's:3']),
  }),
)

/** The rule once more, said as simply and slowly as possible. */
function entitledByRule(directory: Directory, path: string): string[] {
  const agentId = anId(`/spire/agent/${path}`)
  const agent = directory.agent(agentId)
  if (agent === undefined) return []
  const held = new Set([...agent.selectors.map(printSelector), `spiffe_id:${agentId.toString()}`])
  const all = [...directory.entries()]
  const reached = new Set([agentId.toString()])
  for (const entry of all) {
    const isAlias = entry.parentId.equals(SERVER) && !entry.admin
    if (isAlias && entry.selectors.every((one) => held.has(printSelector(one)))) reached.add(entry.spiffeId.toString())
  }
  const found = new Set<string>()
  for (let before = -1; before !== found.size;) {
    before = found.size
    for (const entry of all) {
      const parent = entry.parentId.toString()
      if (!reached.has(parent) || (entry.admin && parent !== agentId.toString())) continue
      found.add(entry.id)
      reached.add(entry.spiffeId.toString())
    }
  }
  return [...found].toSorted()
}

describe('under any changes', () => {
  test('walking down, walking up and the rule agree; whoever gains or loses an entry is concerned', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyStep, { maxLength: 25 }), async (steps) => {
        const { directory, change } = await directoryOf()
        const stop = new AbortController()
        let concerned = new Set<string>()
        const watching = (async () => {
          for await (const updates of directory.watch(stop.signal)) {
            for (const update of updates)
              if (update.concerned !== 'all') for (const id of update.concerned.keys()) concerned.add(id)
          }
        })().catch(() => undefined)
        for (const step of steps) {
          const before = agentPaths.map((path) => entitledByRule(directory, path).map((id) => versionOf(directory, id)))
          concerned = new Set()
          await change(mutationOf(step, directory)).catch(() => undefined)
          await settled()
          for (const [index, path] of agentPaths.entries()) {
            const rule = entitledByRule(directory, path)
            const agentId = anId(`/spire/agent/${path}`)
            expect(idsOf(directory.entitled(agentId))).toEqual(rule)
            const up = [...directory.entries()].filter(({ id }) => directory.isEntitled(agentId, id))
            expect(idsOf(up)).toEqual(rule)
            const after = rule.map((id) => versionOf(directory, id))
            if (String(after) !== String(before[index])) expect(concerned).toContain(agentId.toString())
          }
        }
        stop.abort()
        await watching
      }),
      { numRuns: 60 },
    )
  })

  const versionOf = (directory: Directory, id: string): string => `${id}@${directory.entry(id)?.revisionNumber}`

  function mutationOf(step: typeof anyStep extends fc.Arbitrary<infer T> ? T : never, directory: Directory): Mutation {
    if (step.do === 'delete') return { kind: 'entry.delete', id: step.id }
    if (step.do === 'agent') {
      const known = directory.agent(anId(`/spire/agent/${step.path}`))
      const revisionNumber = known === undefined ? 0 : known.revisionNumber + 1
      return {
        kind: 'agent.put',
        agent: anAgent(step.path, { selectors: step.selectors.map(parseSelector), revisionNumber }),
      }
    }
    const { id, parent, spiffe, selectors, admin } = step.entry
    const known = directory.entry(id)
    const entry = anEntry(id, {
      ...{ parentId: anId(parent), spiffeId: anId(spiffe), selectors: selectors.map(parseSelector), admin },
      revisionNumber: known === undefined ? 0 : known.revisionNumber + 1,
    })
    return known === undefined ? creating(entry) : { kind: 'entry.update', entry }
  }
})

describe('following the store', () => {
  test('rank 2: reached() resolves when what was committed can be read', async () => {
    const { directory, store } = await directoryOf()
    const outcome = await store.commit(doing(creating(anEntry('e'))))
    if (!outcome.ok) throw new Error('conflict')
    await directory.reached(outcome.revision)
    expect(directory.entry('e')?.id).toBe('e')
    expect(directory.revision).toBe(outcome.revision)
  })

  test('an entry concerns the agents below its parent only', async () => {
    const { directory } = await directoryOf(joining('a'), joining('b'), joining('c'))
    const after = anEntry('e', { parentId: anId('/spire/agent/b') })
    const concerned = directory.agentsConcerned({ kind: 'entry', id: 'e', before: undefined, after })
    expect([...concerned]).toEqual(['spiffe://example.org/spire/agent/b'])
  })

  test('a foreign bundle concerns the agents whose entries federate with it, the own one all agents', async () => {
    const { directory } = await directoryOf(
      joining('a'),
      joining('b'),
      { kind: 'bundle.put', bundle: aBundle('other.org', 1) },
      creating(anEntry('e', { parentId: anId('/spire/agent/b'), federatesWith: [TrustDomain.parse('other.org')] })),
    )
    const of = (name: string) =>
      directory.agentsConcerned({ kind: 'bundle', trustDomain: name, before: undefined, after: aBundle(name, 2) })
    expect([...of('other.org')]).toEqual(['spiffe://example.org/spire/agent/b'])
    expect(of('example.org').size).toBe(2)
  })

  test('reads everything anew when the log breaks off, and says so', async () => {
    const clock = new FakeClock()
    const store = new MemoryStore({ clock })
    let broken = true
    const flaky = new Proxy(store, {
      get(target, name) {
        if (name === 'watch' && broken)
          return () => ({ [Symbol.asyncIterator]: () => ({ next: () => Promise.reject(new Error('lost')) }) })
        const value: unknown = Reflect.get(target, name, target)
        return typeof value === 'function' ? value.bind(target) : value
      },
    })
    await using directory = await Directory.open({ store: flaky, trustDomain, clock, log: silentLog })
    await store.commit(doing(creating(anEntry('e'))))
    expect(directory.entry('e')).toBeUndefined()
    const stop = new AbortController()
    const updates = directory.watch(stop.signal)
    const next = updates.next()
    await settled()
    broken = false
    await clock.advance(3000)
    expect(directory.entry('e')?.id).toBe('e')
    expect((await next).value).toMatchObject([{ concerned: 'all', revision: 1 }])
    stop.abort()
  })

  test('remembers the newest revisions for agents that come back', async () => {
    const { directory, change } = await directoryOf(creating(anEntry('1')))
    await change(creating(anEntry('2')))
    await change(creating(anEntry('3')))
    expect(directory.recentAfter(1)?.map(({ revision }) => revision)).toEqual([2, 3])
    expect(directory.recentAfter(3)).toEqual([])
    // Those from before it was opened too: after a restart all agents come back at once.
    expect(directory.recentAfter(0)?.map(({ revision }) => revision)).toEqual([1, 2, 3])
  })

  test('asks the store for what is older than it remembers, or pruned', async () => {
    const { store, clock } = await directoryOf(creating(anEntry('1')))
    store.changesSince = () => Promise.resolve(undefined)
    await using directory = await Directory.open({ store, trustDomain, clock, log: silentLog })
    expect(directory.recentAfter(0)).toBeUndefined()
  })
})

describe('lists', () => {
  const entries = Array.from({ length: 25 }, (_, index) =>
    anEntry(`e${String(index).padStart(2, '0')}`, {
      createdAt: anInstant(index % 7),
      parentId: anId(`/node/${index % 2}`),
    }),
  )

  test('pages hold everything once, in the same order, while others come and go', async () => {
    const { directory, change } = await directoryOf(...entries.map(creating))
    const whole = directory.listEntries().items.map(({ id }) => id)
    expect(whole).toHaveLength(25)
    const seen: string[] = []
    let token = ''
    do {
      const page = directory.listEntries({}, { size: 4, token })
      expect(page.items.length).toBeLessThanOrEqual(4)
      seen.push(...page.items.map(({ id }) => id))
      token = page.nextToken
      const last = page.items.at(-1)
      // What was read may go without moving what was not.
      if (last !== undefined) await change({ kind: 'entry.delete', id: last.id })
    } while (token !== '')
    expect(seen).toEqual(whole)
  })

  test('a token that was not given out is refused', async () => {
    const { directory } = await directoryOf()
    expect(() => directory.listEntries({}, { size: 4, token: '%%%' })).toThrowCode('REQUEST_INVALID', 'page token')
  })

  test('narrowed lists page the same way', async () => {
    const { directory } = await directoryOf(...entries.map(creating))
    const filter = { parentId: anId('/node/1') }
    const whole = directory.listEntries(filter).items
    const first = directory.listEntries(filter, { size: 5, token: '' })
    const rest = directory.listEntries(filter, { size: 0, token: first.nextToken })
    expect([...first.items, ...rest.items]).toEqual(whole)
    expect(directory.countEntries(filter)).toBe(12)
    expect(directory.countEntries()).toBe(25)
  })

  test.for([
    ['exact', ['a:1', 'b:2'], ['ab']],
    ['subset', ['a:1', 'b:2'], ['a', 'ab']],
    ['superset', ['a:1', 'b:2'], ['ab', 'abc']],
    ['any', ['b:2', 'z:9'], ['ab', 'abc']],
  ] as const)('selectors match by %s of %s: %s', async ([match, asked, found]) => {
    const { directory } = await directoryOf(
      creating(anEntry('a', { selectors: [parseSelector('a:1')] })),
      creating(anEntry('ab', { selectors: ['b:2', 'a:1'].map(parseSelector) })),
      creating(anEntry('abc', { selectors: ['a:1', 'b:2', 'c:3'].map(parseSelector) })),
      creating(anEntry('c', { selectors: [parseSelector('c:3')] })),
    )
    const filter = { selectors: { selectors: asked.map(parseSelector), match } }
    expect(idsOf(directory.listEntries(filter).items)).toEqual(found)
  })

  test('agents are listed by what was asked', async () => {
    const { directory } = await directoryOf(
      { kind: 'agent.put', agent: anAgent('a', { banned: true, expiresAt: anInstant(10) }) },
      { kind: 'agent.put', agent: anAgent('b', { attestationType: 'x509pop', canReattest: true }) },
    )
    const paths = (filter: Parameters<Directory['listAgents']>[0]): string[] =>
      directory.listAgents(filter).items.map(({ spiffeId }) => spiffeId.path.slice(-1))
    expect(paths({ banned: true })).toEqual(['a'])
    expect(paths({ canReattest: true })).toEqual(['b'])
    expect(paths({ attestationType: 'x509pop' })).toEqual(['b'])
    expect(paths({ expiresBefore: anInstant(11) })).toEqual(['a'])
    expect(directory.countAgents()).toBe(2)
  })
})

test('100,000 entries are held, listed and entitled', async () => {
  const clock = new FakeClock()
  const entries = Array.from({ length: 100_000 }, (_, index) =>
    anEntry(`e${index}`, {
      createdAt: anInstant(index % 5000),
      parentId: anId(`/spire/agent/${index % 1000}`),
      spiffeId: anId(`/w/${index}`),
    }),
  )
  const agents = Array.from({ length: 1000 }, (_, index) => anAgent(`${index}`))
  const store = new MemoryStore({ clock })
  const snapshot = { revision: 1, entries, agents, bundles: [], authorities: [] }
  const fast = Object.assign(Object.create(store) as MemoryStore, {
    snapshot: () => Promise.resolve(snapshot),
    watch: () => neverEnding(),
    changesSince: () => Promise.resolve(undefined),
  })
  await using directory = await Directory.open({ store: fast, trustDomain, clock, log: silentLog })
  expect(directory.listEntries({}, { size: 10_000, token: '' }).items).toHaveLength(10_000)
  expect(directory.entitled(anId('/spire/agent/7'))).toHaveLength(100)
})

async function* neverEnding(): AsyncGenerator<never> {
  // A log in which nothing happens.
}
