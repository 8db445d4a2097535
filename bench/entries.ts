import { randomUUID } from 'node:crypto'
import { systemClock } from '../src/clock.ts'
import type { RegistrationEntry } from '../src/entry/registration-entry.ts'
import { parseSelector } from '../src/entry/selector.ts'
import { SpiffeId } from '../src/id/spiffe-id.ts'
import { idToMessage } from '../src/wire/id-message.ts'
import type { Entry } from '../src/wire/messages/spire-api-types.ts'
import type { Sent } from '../src/wire/service.ts'

export interface EntryOrder {
  readonly spiffeId: string
  readonly parentId: string
  readonly selectors: readonly string[]
  readonly dnsNames?: readonly string[]
  readonly hint?: string
}

/** An entry as an administrator sends it. */
export const entryMessage = ({ spiffeId, parentId, selectors, dnsNames = [], hint = '' }: EntryOrder): Sent<Entry> => ({
  spiffeId: idToMessage(SpiffeId.parse(spiffeId)),
  parentId: idToMessage(SpiffeId.parse(parentId)),
  selectors: selectors.map(parseSelector),
  ...{ dnsNames, hint },
})

/** What the processes of this user have to have. */
export const ownSelector = `unix:uid:${process.getuid?.() ?? 0}`

/** The entry number `index` of a fleet of 1,000 nodes. */
export const fleetEntry = (index: number): EntryOrder => ({
  spiffeId: `spiffe://example.org/ns/team-${index % 100}/sa/service-${index}`,
  parentId: `spiffe://example.org/node/${index % 1000}`,
  selectors: [`unix:uid:${index}`, 'unix:gid:1000', 'unix:path:/usr/bin/service'],
  dnsNames: [`service-${index}.internal`],
})

/** The same as it lies in a store. */
export function storedEntry(index: number): RegistrationEntry {
  const { spiffeId, parentId, selectors, dnsNames = [] } = fleetEntry(index)
  return {
    id: randomUUID(),
    spiffeId: SpiffeId.parse(spiffeId),
    parentId: SpiffeId.parse(parentId),
    selectors: selectors.map(parseSelector),
    x509TtlSeconds: 0,
    jwtTtlSeconds: 0,
    federatesWith: [],
    admin: false,
    downstream: false,
    expiresAt: undefined,
    dnsNames,
    hint: '',
    storeSvid: false,
    x509PrefetchDisabled: false,
    jwtIncludesJti: false,
    labels: {},
    createdAt: systemClock.now(),
    revisionNumber: 0,
  }
}
