import { createPublicKey } from 'node:crypto'
import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import type { Log } from '../../src/log/log.ts'
import type { Counter } from '../../src/metrics/registry.ts'
import type { Directory } from '../entries/directory.ts'
import type { KeyStore } from '../keys/key-store.ts'
import type { Store } from '../store/store.ts'
import { FastLane } from './fast-lane.ts'
import { issuanceGate, type IssuanceGate } from './issuance-gate.ts'
import { Policies } from './policies.ts'
import { PolicyBook } from './policy-book.ts'
import { PolicyKeys, type SecondSigner } from './policy-keys.ts'
import { sha256Hex } from './signed-text.ts'
import { Slices } from './slices.ts'

export interface PolicyDeps {
  readonly store: Store
  readonly keys: KeyStore
  readonly directory: Directory
  readonly trustDomain: TrustDomain
  readonly clock: Clock
  readonly cryptography: Cryptography
  readonly random: (bytes: number) => Buffer
  readonly log: Log
  readonly secondSigners: readonly SecondSigner[]
  readonly admins: readonly SpiffeId[]
  readonly slicesSigned?: Pick<Counter, 'add'> | undefined
}

/** All that a server has of policy. */
export interface PolicyParts {
  readonly policyKeys: PolicyKeys
  readonly book: PolicyBook
  readonly slices: Slices
  readonly fastLane: FastLane
  readonly policies: Policies
  readonly gate: IssuanceGate
}

/** Opens keys → book → slices and fast lane → policies and gate. The book has to be run. */
export async function openPolicy(deps: PolicyDeps): Promise<PolicyParts> {
  const policyKeys = await PolicyKeys.open(deps)
  const book = await PolicyBook.open(deps)
  policyKeys.shownBy((revision) => book.reached(revision))
  const parts = { ...deps, book, keys: policyKeys }
  return {
    ...{ policyKeys, book },
    slices: new Slices({ ...parts, signed: deps.slicesSigned }),
    fastLane: new FastLane(parts),
    policies: new Policies(parts),
    gate: issuanceGate(book, deps.clock),
  }
}

/**
 * Reads the public key of somebody who signs elsewhere.
 *
 * @throws {@link SallyportError} `CONFIG_INVALID`
 */
export function secondSignerOf(pem: string, path: string): SecondSigner {
  const refused = (cause?: unknown): SallyportError =>
    new SallyportError(
      'CONFIG_INVALID',
      `Cannot use ${path} (policy.secondSigners): it is no Ed25519 public key in PEM`,
      {
        cause,
      },
    )
  try {
    const key = createPublicKey(pem)
    if (key.asymmetricKeyType !== 'ed25519') throw refused()
    const spki = key.export({ type: 'spki', format: 'der' })
    return { keyId: sha256Hex(spki), spki }
  } catch (error) {
    throw error instanceof SallyportError ? error : refused(error)
  }
}
