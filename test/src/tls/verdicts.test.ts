import { beforeAll, describe, expect, test } from 'vitest'
import type { Bundle } from '../../../src/bundle/bundle.ts'
import { bundleSetOf } from '../../../src/bundle/bundle-set.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import { Verdicts } from '../../../src/tls/verdicts.ts'
import type { VerifiedPeer } from '../../../src/tls/verified-peer.ts'
import { heldSvid } from '../../fakes/test-source.ts'

const now = new Date('2026-06-01T12:00:00Z')
const later = (seconds: number): Date => new Date(now.getTime() + seconds * 1_000)

let bundle: Bundle
let template: VerifiedPeer

beforeAll(async () => {
  const home = await TestAuthority.create({ now })
  bundle = home.bundle()
  const svid = await heldSvid(home, '/web')
  template = { id: svid.spiffeId, svid, notBefore: now, notAfter: later(60) }
})

/** A peer by other bytes, whose proof ends then. */
function peer(number: number, notAfter: Date): VerifiedPeer {
  const leaf = { ...template.svid.chain[0], der: Buffer.from(`leaf ${number}`) }
  return { ...template, svid: { ...template.svid, chain: [leaf] }, notAfter }
}

const recalls = (verdicts: Verdicts, number: number, at: Date): boolean =>
  verdicts.recall(Buffer.from(`leaf ${number}`), bundleSetOf([bundle]), at) !== undefined

describe('Verdicts', () => {
  test('are forgotten once they have ended, as others come', () => {
    const verdicts = new Verdicts()
    // A peer that renews its SVID every second, each of which lives a minute.
    for (let second = 0; second < 1_000; second++)
      verdicts.keep(peer(second, later(second + 60)), bundle, later(second))
    expect(verdicts.size).toBeLessThan(100)
    expect(recalls(verdicts, 999, later(999))).toBe(true)
  })

  test('of peers that are still there are kept, whoever else comes and goes', () => {
    const verdicts = new Verdicts()
    for (let stable = 0; stable < 20; stable++) verdicts.keep(peer(-stable, later(10_000)), bundle, now)
    for (let second = 1; second < 1_000; second++) verdicts.keep(peer(second, later(second + 5)), bundle, later(second))
    for (let stable = 0; stable < 20; stable++) expect(recalls(verdicts, -stable, later(1_000))).toBe(true)
    expect(verdicts.size).toBeLessThan(60)
  })

  test('never grow beyond 10,000, however many peers are there', () => {
    const verdicts = new Verdicts()
    for (let number = 0; number < 10_050; number++) verdicts.keep(peer(number, later(60)), bundle, now)
    expect(verdicts.size).toBe(10_000)
    expect(recalls(verdicts, 10_049, now)).toBe(true)
  })
})
