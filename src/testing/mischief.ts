import { generateKeyPairSync } from 'node:crypto'
import type { WorkloadMessages } from './workload-state.ts'

const HUGE_BYTES = 100 * 1024 * 1024

/** What a hostile Workload API may answer to a workload that asks for its X509-SVIDs: a message, or bytes as they are. */
const answers = {
  /** An answer without a single SVID, which the specification forbids. */
  noSvids: (messages: WorkloadMessages): object => ({ ...messages.x509Svids(), svids: [] }),
  /** The private key is not that of the certificate. */
  foreignKey: (messages: WorkloadMessages): object => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    return changed(messages, { x509SvidKey: privateKey.export({ type: 'pkcs8', format: 'der' }) })
  },
  /** The certificate is cut off. */
  damagedCertificate: (messages: WorkloadMessages): object =>
    changed(messages, { x509Svid: messages.home.certificate.der.subarray(0, -1) }),
  /** The message announces one identity and carries the certificate of another. */
  otherId: (messages: WorkloadMessages): object => changed(messages, { spiffeId: 'spiffe://other.test/somebody' }),
  /** A bundle that is filed under something that is no trust domain. */
  damagedBundleName: (messages: WorkloadMessages): object => ({
    ...messages.x509Svids(),
    federatedBundles: { 'spiffe://Not A Trust Domain': messages.home.certificate.der },
  }),
  /** Bytes that are no message. */
  damagedMessage: (): Buffer => Buffer.from([0x0a, 0xff, 0xff]),
  /** A message of 100 MB. */
  hugeMessage: (): Buffer => Buffer.alloc(HUGE_BYTES),
} as const

/**
 * How a {@link FakeWorkloadApi} can misbehave. Besides the answers named above: `silence` never answers, `hangUp` closes every
 * connection as soon as something is asked.
 */
export type Mischief = keyof typeof answers | 'silence' | 'hangUp'

/** Every name of a mischief. */
export const mischiefs: readonly Mischief[] = [
  ...(Object.keys(answers) as (keyof typeof answers)[]),
  'silence',
  'hangUp',
]

/** The answer that a mischief stands for; undefined for those that give none. */
export function mischievousAnswer(name: Mischief, messages: WorkloadMessages): object | undefined {
  return name === 'silence' || name === 'hangUp' ? undefined : answers[name](messages)
}

/** The good answer with one thing changed in its SVIDs. */
function changed(messages: WorkloadMessages, changes: object): object {
  const answer = messages.x509Svids()
  return { ...answer, svids: answer.svids.map((svid) => ({ ...svid, ...changes })) }
}
