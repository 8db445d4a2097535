import { describe, expect, test } from 'vitest'
import { checkEntry } from '../../../src/entry/check-entry.ts'
import { entryWarnings } from '../../../src/entry/entry-warnings.ts'
import { parseSelector } from '../../../src/entry/selector.ts'
import { SpiffeId } from '../../../src/id/spiffe-id.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'

const warningsFor = (...selectors: readonly string[]): string[] =>
  entryWarnings(
    checkEntry(
      {
        id: 'e',
        spiffeId: SpiffeId.parse('spiffe://td/web'),
        parentId: SpiffeId.parse('spiffe://td/node'),
        selectors: selectors.map(parseSelector),
        createdAt: new Date(0),
      },
      { trustDomain: TrustDomain.parse('td') },
    ),
  )

describe('entryWarnings()', () => {
  test.for([
    ['unix:path:/usr/bin/shop'],
    [`unix:sha256:${'a'.repeat(64)}`],
    ['unix:path:/usr/bin/shop', `unix:sha256:${'a'.repeat(64)}`],
  ])('SE-01 warns when only path or hash identify: %s', (selectors) => {
    expect(warningsFor(...selectors)).toEqual([expect.stringContaining('only selectors are unix:path or unix:sha256')])
  })

  test.for([
    '/usr/bin/python3.12',
    '/bin/sh',
    '/usr/bin/bash',
    '/usr/local/bin/node',
    '/usr/bin/env',
    '/usr/bin/busybox',
    '/usr/bin/perl5',
  ])('SE-01 warns that %s is an interpreter', (path) => {
    expect(warningsFor(`unix:path:${path}`, 'unix:uid:7')).toEqual([expect.stringContaining('is an interpreter')])
  })

  test('warns about a kind that no process has', () => {
    expect(warningsFor('unix:uid:7', 'unix:usr:shop')).toEqual([expect.stringContaining('unix:usr: use uid')])
  })

  test.for([
    ['uid:7', 'unix:uid:'],
    ['path:/usr/bin/shop', 'unix:path:'],
    ['unix:uid:root', 'unix:user a name'],
    ['unix:gid:staff', 'unix:group a name'],
    ['unix:supplementary_gid:staff', 'unix:supplementary_group a name'],
  ] as const)('warns that no process has %s', ([selector, instead]) => {
    expect(warningsFor('unix:user:shop', selector)).toEqual([expect.stringContaining(instead)])
  })

  test.for([
    ['unix:uid:7'],
    ['unix:uid:0', 'unix:gid:0', 'unix:supplementary_gid:27'],
    ['unix:path:/usr/bin/shop', 'unix:uid:7'],
    ['k8s:ns:shop'],
    ['unix:path:/usr/bin/nodemon', 'unix:uid:7'],
  ])('says nothing about %s', (selectors) => {
    expect(warningsFor(...selectors)).toEqual([])
  })
})
