import { createPublicKey } from 'node:crypto'
import { SallyportError } from '../../src/errors.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import type { PolicySet, Zone } from '../../src/policy/policy-set.ts'
import type { PolicyStateRow, SignatureText } from '../store/policy-rows.ts'
import type { SecondSigner } from './policy-keys.ts'
import { canonicalText } from './signed-text.ts'

/** Zones of this target are not changed by one machine alone (SE-45). */
const TARGET = 4

/** What the second key signs: `sallyport policy sign` on another machine writes the same. */
export const secondSignatureText = (digest: string): Buffer => Buffer.from(`sallyport policy\n${digest}`)

/**
 * Does a policy change what holds for a zone of target 4? Its own words, those of its conduits, services, rules, templates and
 * break-glass, and the guards and settings, which hold for all.
 */
export function touchesTargetFour(before: PolicySet | undefined, after: PolicySet): boolean {
  const zones = [...(before?.zones ?? []), ...after.zones].filter(({ target }) => target === TARGET)
  if (zones.length === 0) return false
  return canonicalText(partsOf(before, zones)) !== canonicalText(partsOf(after, zones))
}

function partsOf(set: PolicySet | undefined, zones: readonly Zone[]): object {
  if (set === undefined) return {}
  const names = new Set(zones.map(({ id }) => id))
  const isOf = (zone: string): boolean => names.has(zone)
  const { settings, guards, federation, services } = set
  const conduits = set.conduits.filter(({ from, to }) => isOf(from.zone) || isOf(to.zone))
  const grantTemplates = set.grantTemplates.filter(({ movement: { from, to } }) => isOf(from.zone) || isOf(to.zone))
  const breakGlass = set.breakGlass.filter(({ from, to }) => [...from, ...to].some(isOf))
  // Which services and subjects are in such a zone depends on who is registered, so all rules and services count.
  return {
    ...{ settings, guards, federation, services, conduits, grantTemplates, breakGlass, rules: set.rules },
    zones: set.zones.filter(({ id }) => isOf(id)),
    members: set.zones.map(({ id, members }) => ({ id, members })),
  }
}

/**
 * Checks a signature that was made elsewhere over the digest of what is pending.
 *
 * @throws {@link SallyportError} `POLICY_SIGNATURE_REFUSED`, `POLICY_NOT_FOUND`
 */
export async function checkSecondSignature(
  { pending }: Pick<PolicyStateRow, 'pending'>,
  given: { readonly digest: string; readonly keyId: string; readonly signature: Buffer },
  signers: readonly SecondSigner[],
  cryptography: Cryptography,
): Promise<SignatureText> {
  const refused = (why: string): SallyportError =>
    new SallyportError('POLICY_SIGNATURE_REFUSED', `Cannot take the signature for policy ${given.digest}: ${why}`)
  if (pending?.digest !== given.digest) {
    throw new SallyportError('POLICY_NOT_FOUND', `No policy with the digest ${given.digest} waits for a signature`)
  }
  const signer = signers.find(({ keyId }) => keyId === given.keyId)
  if (signer === undefined) throw refused(`the key ${given.keyId} is no second signer of this server`)
  const key = createPublicKey({ key: signer.spki, format: 'der', type: 'spki' })
  const text = secondSignatureText(given.digest)
  if (!(await cryptography.verify('EdDSA', key, text, given.signature, 'der'))) throw refused('it does not verify')
  return { keyId: given.keyId, signature: given.signature.toString('base64') }
}
