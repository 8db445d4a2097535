import { expect, test } from 'vitest'
import type { PolicyHoldings } from '../../../agent/node/policy-holdings.ts'
import { pushSession, type SessionDeps } from '../../../agent/node/sessions.ts'
import type { PushedState } from '../../../agent/upstream/follow.ts'
import { FakeClock, settled } from '../../fakes/fake-clock.ts'
import { NO_POLICY_HELD } from './no-policy-held.ts'

const beat = (revision: number): PushedState => ({
  ...{ kind: 'heartbeat', epoch: 'e', revision, serverTime: new Date(0), keyId: 'k', checkpoint: undefined },
  ...{ policyEpoch: 1, policyRevision: 1, fastLaneSequence: 0, isFresh: true },
})
const pushed: PushedState = {
  kind: 'policy',
  pushed: { kind: 'fastLane', entries: [], snapshot: null, keys: null },
}

/** A push stream that says this and ends. */
async function sessionOf(states: readonly PushedState[], believes: readonly boolean[]): Promise<number[]> {
  const observed: number[] = []
  const { deps } = partsOf(believes, observed, async function* () {
    yield* states
  })
  await expect(pushSession(deps, new AbortController().signal)).rejects.toThrowCode(
    'SERVER_UNREACHABLE',
    'The server ended the push stream',
  )
  return observed
}

function partsOf(
  believes: readonly boolean[],
  observed: number[],
  states: (signal: AbortSignal) => AsyncGenerator<PushedState>,
) {
  const clock = new FakeClock()
  const answers = [...believes]
  const policy: PolicyHoldings = {
    held: NO_POLICY_HELD,
    apply: async () => answers.shift() ?? true,
    observe: ({ revision }) => void observed.push(revision),
    settle: async () => ({ ...NO_POLICY_HELD, digest: Buffer.alloc(0), refused: '' }),
    forget: async () => undefined,
  }
  const deps = {
    ...{ policy, clock, heartbeatMs: 5000, random: (bytes: number) => Buffer.alloc(bytes) },
    view: { settled: { revision: 0, digest: Buffer.alloc(0), epoch: '' }, advance: () => undefined },
    ...{ onHeartbeat: () => undefined, onInSync: () => undefined },
    upstream: {
      follow: (_options: unknown, signal: AbortSignal) => ({
        ...{ states: states(signal), acknowledge: () => undefined, acknowledgePolicy: () => undefined },
      }),
    },
  } as unknown as SessionDeps
  return { deps, clock }
}

test('SE-41: after something was refused no heartbeat of the same stream proves the policy to be the newest', async () => {
  expect(await sessionOf([beat(1), pushed, beat(2), pushed, beat(3)], [false, true])).toEqual([1])
  expect(await sessionOf([beat(1), pushed, beat(2)], [true])).toEqual([1, 2])
})

test('what was refused is asked for again after a minute, by another stream', async () => {
  const { deps, clock } = partsOf([false], [], async function* (signal) {
    yield pushed
    await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
  })
  const ended = expect(pushSession(deps, new AbortController().signal)).rejects.toThrowCode(
    'SYNC_MISMATCH',
    'something of it was refused',
  )
  await settled()
  await clock.advance(60_000)
  await ended
})
