import type { AgentConfig } from '../config.ts'
import type { Attestation } from '../upstream/attestation.ts'
import type { Random } from '../upstream/timing.ts'
import { x509popAttestation } from './attestations.ts'
import { readInvitation } from './bootstrap.ts'
import type { Disk } from './disk.ts'

/** How this agent may prove itself, as configured. */
export interface Proofs {
  /** A join token, unless it was spent; read anew each time, since an administrator may have put in another. */
  readonly token: () => Promise<string | undefined>
  /** Another PKI's certificate. */
  readonly x509pop: (() => Promise<Attestation>) | undefined
}

export function proofsOf(
  { attestor }: Pick<AgentConfig, 'attestor'>,
  deps: { readonly disk: Disk; readonly random: Random },
): Proofs {
  const { joinFile, joinTokenFile, x509pop } = attestor
  return {
    x509pop: x509pop === undefined ? undefined : () => x509popAttestation(x509pop, deps),
    // A file that was removed after joining is as good as a spent token.
    async token() {
      if (joinFile !== undefined) return (await readInvitation(joinFile, deps.disk))?.token
      if (joinTokenFile === undefined) return undefined
      return (await deps.disk.read(joinTokenFile))?.toString('utf8').trim()
    },
  }
}
