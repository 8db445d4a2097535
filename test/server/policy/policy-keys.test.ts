import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import type { KeyStore } from '../../../server/keys/key-store.ts'
import { memoryKeyStore } from '../../../server/keys/memory-key-store.ts'
import { PolicyKeys } from '../../../server/policy/policy-keys.ts'
import { SallyportError } from '../../../src/errors.ts'
import { TrustDomain } from '../../../src/id/trust-domain.ts'
import { threadPoolCryptography as cryptography } from '../../../src/key/thread-pool-cryptography.ts'
import { silentLog } from '../../../src/log/log.ts'
import { FakeClock } from '../../fakes/fake-clock.ts'
import { MemoryStore } from '../../fakes/memory-store.ts'

test('SE-45: a revoked key that could not be destroyed is revoked all the same, and destroyed at the next start', async () => {
  const clock = new FakeClock()
  const kept = memoryKeyStore(cryptography)
  let isBroken = true
  const keys: KeyStore = {
    ...kept,
    remove: (name) =>
      isBroken ? Promise.reject(new SallyportError('KEY_STORE_FAILED', 'the disk is broken')) : kept.remove(name),
  }
  const deps = {
    ...{ store: new MemoryStore(), keys, clock, cryptography, random: randomBytes, log: silentLog },
    ...{ trustDomain: TrustDomain.parse('example.org'), secondSigners: [] },
  }
  const before = await PolicyKeys.open(deps)
  const [revoked] = before.state.keys
  await before.revoke(revoked?.keyId ?? '', { at: clock.now(), callerId: 'local:uid:0' }, 'stolen')
  expect(before.state.keys.map(({ state }) => state)).toEqual(['revoked', 'active'])
  expect(await kept.names()).toContain(revoked?.keyName)
  isBroken = false
  const after = await PolicyKeys.open(deps)
  expect(await kept.names()).toEqual([after.state.keys[1]?.keyName])
  expect(after.state).toEqual(before.state)
})
