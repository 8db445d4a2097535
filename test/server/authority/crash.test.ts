import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Bundle } from '../../../src/bundle/bundle.ts'
import { SallyportError } from '../../../src/errors.ts'
import { AuthorityWorld, DAY, HOUR, MINUTE, orderOf, witOrderOf, withWit } from './authority-world.ts'
import type { AuthorityKind } from '../../../server/authority/make-authority.ts'
import { printBundleTo } from './bundle-facts.ts'

/** One thing that happens to a server; numbers choose among what there is. */
type Happening =
  | { readonly kind: 'pass'; readonly ms: number }
  | { readonly kind: 'crash'; readonly after: number; readonly isDurable: boolean }
  | { readonly kind: 'restart' | 'issue' | 'join' | 'acknowledge' }
  | { readonly kind: 'jump'; readonly ms: number }
  | { readonly kind: 'prepare' | 'activate' | 'taint' | 'revoke'; readonly of: AuthorityKind }

const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.constantFrom(MINUTE, 20 * MINUTE, HOUR, 6 * HOUR, DAY).map((ms) => ({ kind: 'pass' as const, ms })),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('crash' as const),
      after: fc.integer({ min: 0, max: 4 }),
      isDurable: fc.boolean(),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.constantFrom('restart', 'issue', 'issue', 'join', 'acknowledge' as const).map((kind) => ({ kind })),
  },
  { weight: 1, arbitrary: fc.integer({ min: -10 * DAY, max: 10 * DAY }).map((ms) => ({ kind: 'jump' as const, ms })) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('prepare', 'activate', 'taint', 'revoke' as const),
      of: fc.constantFrom('x509', 'jwt', 'wit' as const),
    }),
  },
)

/** What a test remembers to judge by. */
class Witness {
  readonly world: AuthorityWorld
  readonly revoked = new Set<string>()
  readonly issued: { readonly authorityId: string; readonly expiresAt: Date }[] = []
  #before: Bundle | undefined
  #hasJumped = false

  constructor(world: AuthorityWorld) {
    this.world = world
  }

  async happens(what: Happening): Promise<void> {
    const { world } = this
    switch (what.kind) {
      case 'pass':
        return await world.pass(what.ms, Math.min(what.ms, HOUR))
      case 'jump':
        this.#hasJumped = true
        world.clock.jump(what.ms)
        return
      case 'crash':
        return this.#crashAt(what.after, what.isDurable)
      case 'restart':
        return await this.restart()
      case 'join':
        world.acknowledged.set(`agent-${world.acknowledged.size}`, world.store.revision)
        return
      case 'acknowledge':
        return world.acknowledgeAll()
      case 'issue':
        return await this.#issue()
      default:
        return await this.#byHand(what.kind, what.of)
    }
  }

  /** The commit after so many others fails: before it is durable, or after, so that only the answer is lost. */
  #crashAt(after: number, isDurable: boolean): void {
    let left = after
    const hook = (): void => {
      if (left-- === 0) throw new SallyportError('STORE_OUTCOME_UNKNOWN', 'the writer crashed')
    }
    const { storeOptions } = this.world
    if (isDurable) storeOptions.afterCommit = hook
    else storeOptions.beforeCommit = hook
  }

  async restart(): Promise<void> {
    delete this.world.storeOptions.afterCommit
    delete this.world.storeOptions.beforeCommit
    await this.world.restart()
  }

  async #issue(): Promise<void> {
    const { world } = this
    try {
      const [x509] = await world.issuer.issueX509Svids([orderOf()])
      if (x509 === undefined || x509 instanceof Error) throw x509
      const jwt = await world.issuer.issueJwtSvid({ spiffeId: orderOf().spiffeId, audience: ['orders'] })
      const [wit] = await world.issuer.issueWitSvids([witOrderOf()])
      if (wit === undefined || wit instanceof Error) throw wit
      const bundle = await world.storedBundle()
      // The promise itself: whatever is released verifies with the bundle that is published at that moment.
      expect(bundle?.x509Authorities.map(({ certificate }) => certificate.subjectKeyId?.toString('hex'))).toContain(
        x509.authorityId,
      )
      expect(bundle?.jwtAuthorities.map(({ keyId }) => keyId)).toContain(jwt.authorityId)
      expect(bundle?.witAuthorities.map(({ keyId }) => keyId)).toContain(wit.authorityId)
      this.issued.push(x509, jwt, wit)
    } catch (error) {
      if (!isRefusal(error)) throw error
    }
  }

  async #byHand(verb: 'prepare' | 'activate' | 'taint' | 'revoke', of: AuthorityKind): Promise<void> {
    const { authorities } = this.world
    const wanted = verb === 'activate' ? 'published' : 'old'
    const id = this.world.in(wanted, of) ?? 'none'
    try {
      if (verb === 'prepare') await authorities.prepare(of)
      else {
        // Whether it is known to have happened or not, it may have.
        if (verb === 'revoke') this.revoked.add(id)
        await authorities[verb](of, id)
      }
    } catch (error) {
      if (!isRefusal(error)) throw error
    }
  }

  async check(): Promise<void> {
    const { world } = this
    const stored = await world.storedBundle()
    this.#checkSequence(stored)
    // What is shown was stored: it may be behind after a lost answer, and never ahead.
    const shown = world.authorities.bundle()
    expect(shown.sequenceNumber).toBeLessThanOrEqual(stored?.sequenceNumber ?? 0)
    if (shown.sequenceNumber === stored?.sequenceNumber) expect(printBundleTo(shown)).toBe(printBundleTo(stored))
    for (const [active, published] of [
      [
        tryTo(() => world.authorities.activeX509().authorityId),
        stored?.x509Authorities.map(({ certificate }) => certificate.subjectKeyId?.toString('hex')),
      ],
      [tryTo(() => world.authorities.activeJwt().authorityId), stored?.jwtAuthorities.map(({ keyId }) => keyId)],
      [tryTo(() => world.authorities.activeWit().authorityId), stored?.witAuthorities.map(({ keyId }) => keyId)],
    ] as const) {
      if (active !== undefined) expect(published).toContain(active)
    }
    // After a jump of the wall clock it is not known what is expired.
    if (this.#hasJumped) return
    const known = new Set([
      ...(stored?.x509Authorities.map(({ certificate }) => certificate.subjectKeyId?.toString('hex')) ?? []),
      ...(stored?.jwtAuthorities.map(({ keyId }) => keyId) ?? []),
      ...(stored?.witAuthorities.map(({ keyId }) => keyId) ?? []),
    ])
    for (const { authorityId, expiresAt } of this.issued) {
      const isNeeded = expiresAt > world.clock.now() && !this.revoked.has(authorityId)
      if (isNeeded) expect(known).toContain(authorityId)
    }
  }

  #checkSequence(after: Bundle | undefined): void {
    const before = this.#before
    this.#before = after
    if (before === undefined || after === undefined) return
    const isChanged = printBundleTo(after) !== printBundleTo(before)
    if (isChanged) expect(after.sequenceNumber).toBeGreaterThan(before.sequenceNumber)
    else expect(after.sequenceNumber).toBeGreaterThanOrEqual(before.sequenceNumber)
  }
}

const isRefusal = (error: unknown): boolean => error instanceof SallyportError

function tryTo<T>(action: () => T): T | undefined {
  try {
    return action()
  } catch (error) {
    if (isRefusal(error)) return undefined
    throw error
  }
}

test('SE-20 TB-21 whatever crashes, jumps or is silent: what signs is published, what is valid verifies, and it heals', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(happening, { maxLength: 40 }), async (happenings) => {
      const world = await AuthorityWorld.open({ config: withWit })
      const witness = new Witness(world)
      for (const what of happenings) {
        await witness.happens(what)
        await witness.check()
      }
      await witness.restart()
      await witness.check()
      await world.authorities.rotate()
      expect(world.authorities.activeX509().notAfter > world.clock.now()).toBe(true)
      expect(world.authorities.activeJwt().notAfter > world.clock.now()).toBe(true)
      expect(world.authorities.activeWit().notAfter > world.clock.now()).toBe(true)
      // Nothing is left behind for ever either.
      await world.pass(40 * DAY, HOUR)
      expect(world.authorities.status().length).toBeLessThanOrEqual(9)
      expect((await world.keys.names()).length).toBeLessThanOrEqual(9)
      await witness.check()
    }),
    { numRuns: 60 },
  )
}, 60_000)

test('no authority signs before every live agent has its bundle, while rotation goes its ordinary way', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ ms: fc.constantFrom(MINUTE, HOUR, 6 * HOUR), acknowledges: fc.boolean() }), {
        maxLength: 60,
      }),
      async (steps) => {
        const world = await AuthorityWorld.open()
        world.acknowledged.set('one', world.store.revision)
        let bundleOfAgent = world.authorities.bundle()
        for (const { ms, acknowledges } of steps) {
          await world.pass(ms, Math.min(ms, HOUR))
          const active = world.authorities.activeX509()
          const [latest] = (await world.audit('authority.activated')).filter(
            ({ facts }) => facts['authorityId'] === active.authorityId,
          )
          const isNamed = Array.isArray(latest?.facts['missingAgents']) && latest.facts['missingAgents'].length > 0
          const verifies = bundleOfAgent.x509Authorities.some(({ certificate }) =>
            certificate.der.equals(active.certificate.der),
          )
          expect(verifies || isNamed).toBe(true)
          if (!acknowledges) continue
          bundleOfAgent = world.authorities.bundle()
          world.acknowledgeAll()
        }
      },
    ),
    { numRuns: 60 },
  )
}, 60_000)
