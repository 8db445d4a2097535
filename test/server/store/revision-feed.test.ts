import { describe, expect, test } from 'vitest'
import { FEED_MAX_REVISIONS, RevisionFeed } from '../../../server/store/revision-feed.ts'
import type { Revision } from '../../../server/store/store.ts'

const numbered = (from: number, to: number): Revision[] =>
  Array.from({ length: Math.max(0, to - from + 1) }, (_, index) => ({ revision: from + index, changes: [] }))

describe('RevisionFeed', () => {
  test('reads the log only for followers that are behind what is in memory', async () => {
    let reads = 0
    const last = 3 * FEED_MAX_REVISIONS
    const feed = new RevisionFeed(0, (after, limit) => {
      reads++
      return numbered(after + 1, Math.min(last, after + limit))
    })
    for (let revision = 1; revision <= last; revision++) feed.publish(numbered(revision, revision))
    expect(feed.since(last - FEED_MAX_REVISIONS, last)?.length).toBe(FEED_MAX_REVISIONS)
    expect(reads).toBe(0)
    const stop = new AbortController()
    let seen = 0
    for await (const revisions of feed.watch(0, stop.signal)) {
      for (const { revision } of revisions) expect(revision).toBe(++seen)
      if (seen === last) stop.abort()
    }
    expect(reads).toBeGreaterThan(0)
  })

  test('costs an idle follower nothing', async () => {
    let reads = 0
    const feed = new RevisionFeed(5, () => {
      reads++
      return undefined
    })
    const stop = new AbortController()
    const followers = Array.from({ length: 1000 }, async () => {
      for await (const _ of feed.watch(5, stop.signal)) return true
      return false
    })
    await Promise.resolve()
    expect(reads).toBe(0)
    feed.publish(numbered(6, 6))
    expect(new Set(await Promise.all(followers))).toEqual(new Set([true]))
    expect(reads).toBe(0)
  })
})
