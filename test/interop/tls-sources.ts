import { expect, test } from 'vitest'
import { exactly } from '../../src/id/matcher.ts'
import { X509Source } from '../../src/workload/x509-source.ts'
import type { House } from '../e2e/house.ts'
import type { ForeignEnd } from './foreign-peer.ts'
import { dialSdk, type Protocol, serveSdk } from './sdk-peers.ts'

/** Sources of ours and of theirs on one agent: each side dials the other, before and after both have a new SVID. */
export function testSources(
  house: () => House,
  spiffeId: string,
  open: () => ForeignEnd,
  protocols: readonly Protocol[],
): void {
  test('FS-09 sources of both sides talk to each other in both directions, over renewals', async () => {
    const { endpoint } = house()
    await using source = await X509Source.open({ endpoint })
    await using peer = open()
    const isPeer = exactly(spiffeId)
    const servers = new Map<Protocol, Awaited<ReturnType<typeof serveSdk>>>()
    for (const protocol of protocols) servers.set(protocol, await serveSdk(protocol, source, isPeer))
    const talk = async (): Promise<void> => {
      for (const [protocol, { port }] of servers) {
        expect(await peer.dial(protocol, port, spiffeId, endpoint)).toEqual({ peer: spiffeId })
        const theirs = await peer.serve(protocol, spiffeId, endpoint)
        expect(await dialSdk(protocol, source, theirs, isPeer)).toBe(spiffeId)
        expect(await peer.outcome()).toEqual({ peer: spiffeId })
      }
    }
    const first = source.current().svid
    await talk()
    for await (const { svid } of source.watch()) if (svid !== undefined && svid !== first) break
    await talk()
    for (const server of servers.values()) server[Symbol.dispose]()
  }, 60_000)
}
