import { beforeAll, describe, expect, test } from 'vitest'
import { X509Messages } from '../../../agent/rpc/x509-messages.ts'
import type { HeldX509Svid } from '../../../agent/svids/held-x509-svid.ts'
import { type Bundle, bundleOf } from '../../../src/bundle/bundle.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { silentLog } from '../../../src/log/log.ts'
import { TestAuthority } from '../../../src/testing/test-authority.ts'
import { anEntry, anInstant } from '../../fakes/store-objects.ts'

let own: Bundle
let partner: TestAuthority
beforeAll(async () => {
  own = (await TestAuthority.create()).bundle()
  partner = await TestAuthority.create({ trustDomain: 'partner.test' })
})

/** What was warned of while a message for so many identities and partners was made. */
function warnings({ svids, bundles }: { svids: number; bundles: number }): string[] {
  const said: string[] = []
  const federatedBundles = Array.from({ length: bundles }, (_, index) => {
    const { x509Authorities } = partner.bundle()
    return bundleOf({ trustDomain: TrustDomain.parse(`partner-${index}.test`), x509Authorities })
  })
  const federatesWith = federatedBundles.map(({ trustDomain }) => trustDomain)
  const entries = Array.from({ length: svids }, (_, index) => anEntry(`e${index}`, { federatesWith }))
  const held = entries.map(({ id, spiffeId }): HeldX509Svid => {
    const bytes = { chain: Buffer.of(1), privateKey: Buffer.of(2) }
    return {
      entryId: id,
      spiffeId,
      ...bytes,
      serialNumber: 1n,
      notBefore: anInstant(0),
      notAfter: anInstant(9),
    } as never
  })
  const messages = new X509Messages({ ...silentLog, warn: (_fields, sentence) => said.push(sentence) })
  const matched = { entries, ownBundle: own, federatedBundles, withheld: new Map(), sequence: 1 }
  const message = messages.svids({ matched, given: entries, held })
  expect([message.svids.length, Object.keys(message.federatedBundles).length]).toEqual([svids, bundles])
  return said
}

describe('the message of an X.509 stream', () => {
  test('IO-17 warns where it holds more identities or bundles than some clients take', () => {
    expect(warnings({ svids: 100, bundles: 200 })).toEqual([])
    expect(warnings({ svids: 101, bundles: 1 })).toEqual(['Some clients refuse so many identities'])
    expect(warnings({ svids: 1, bundles: 201 })).toEqual(['Some clients refuse so many bundles'])
  })
})
