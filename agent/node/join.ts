import { createPublicKey, type KeyObject } from 'node:crypto'
import type { Bundle } from '../../src/bundle/bundle.ts'
import { bundleSetOf } from '../../src/bundle/bundle-set.ts'
import { SallyportError } from '../../src/errors.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { Cryptography, KeyPair } from '../../src/key/cryptography.ts'
import type { Log } from '../../src/log/log.ts'
import { verifyX509Svid } from '../../src/svid/verify-x509-svid.ts'
import type { Certificate } from '../../src/x509/certificate.ts'
import { decodeCertificate } from '../../src/x509/decode-certificate.ts'
import { encodeCsr } from '../../src/x509/encode-csr.ts'
import { spkiOf } from '../../src/x509/spki.ts'
import type { Attestation } from '../upstream/attestation.ts'
import { grpcStatusOf, refusalOf } from '../upstream/refusal.ts'
import { renewalTime, type Random } from '../upstream/timing.ts'
import type { TrustedClock } from '../upstream/trusted-clock.ts'
import type { AgentSvidReply, Upstream } from '../upstream/upstream.ts'
import { hashOfToken, joinTokenAttestation, rejoinAttestation } from './attestations.ts'
import type { Proofs } from './proofs.ts'
import type { SavedIdentity } from './saved-state.ts'

/** The agent's own SVID and key, in use. */
export interface AgentIdentity extends SavedIdentity {
  readonly certificates: readonly [Certificate, ...Certificate[]]
  readonly notAfter: Date
  /** Drawn once. */
  readonly renewAt: Date
}

export interface JoinDeps {
  readonly trustDomain: TrustDomain
  readonly upstream: Pick<Upstream, 'attest' | 'renew' | 'fetchBundle'>
  readonly clock: TrustedClock
  readonly cryptography: Cryptography
  readonly random: Random
  readonly log: Log
  readonly proofs: Proofs
}

/** What an earlier attempt or life of this agent left behind. */
export interface Past {
  readonly identity: SavedIdentity | undefined
  readonly spentToken: string
  /** The key of an attempt whose answer may have been lost, and the hash of the token it was made with. */
  readonly attempt: { readonly privateKey: KeyObject; readonly tokenHash: string } | undefined
}

export interface Joined {
  readonly identity: AgentIdentity
  /** The own bundle as of now. */
  readonly bundle: Bundle
  readonly spentToken: string
}

interface Attempt {
  readonly attestation: Attestation
  readonly spentToken: string
}

/** Statuses that another proof may fare better with; everything else is worth the same attempt again, later. */
const ANOTHER_PROOF = new Set([
  'PERMISSION_DENIED',
  'UNAUTHENTICATED',
  'INVALID_ARGUMENT',
  'NOT_FOUND',
  'FAILED_PRECONDITION',
  'UNIMPLEMENTED',
])

/**
 * Joins the trust domain, or joins it again: by the proof that can be repeated if there is one, else by proof of the last key, else
 * by a token that is not spent.
 *
 * @param remember keeps the new key before it is used: an answer that gets lost then costs nothing but another attempt
 */
export async function join(
  past: Past,
  deps: JoinDeps,
  remember: (attempt: NonNullable<Past['attempt']>) => Promise<void>,
  signal: AbortSignal,
): Promise<Joined> {
  // A token is only ever tried with one key: whichever request the server hears of first or last, that key lets the agent in.
  const keyPair =
    past.attempt === undefined ? await deps.cryptography.generateKeyPair('ec-p256') : keyPairOf(past.attempt)
  const csr = await encodeCsr({ keyPair }, deps.cryptography)
  let refusal: unknown
  for await (const { attestation, spentToken } of attempts(past, keyPair, deps)) {
    if (attestation.type === 'join_token') await remember({ privateKey: keyPair.privateKey, tokenHash: spentToken })
    let reply: AgentSvidReply
    try {
      reply = await deps.upstream.attest(attestation, csr, signal)
    } catch (error) {
      if (!ANOTHER_PROOF.has(grpcStatusOf(error) ?? '') || refusalOf(error) === 'banned') throw error
      deps.log.warn({ err: error, attestor: attestation.type }, 'The server refused an attestation')
      refusal ??= error
      continue
    }
    // What the server has granted is not asked for in another way because it cannot be used yet, such as before a clock is set.
    const bundle = await deps.upstream.fetchBundle(signal)
    return { identity: await identityOf(reply, keyPair, bundle, deps), bundle, spentToken }
  }
  throw refusal ?? noProof()
}

const keyPairOf = ({ privateKey }: Pick<KeyPair, 'privateKey'>): KeyPair => ({
  type: 'ec-p256',
  privateKey,
  publicKey: createPublicKey(privateKey),
})

async function* attempts(past: Past, keyPair: KeyPair, deps: JoinDeps): AsyncGenerator<Attempt> {
  const { proofs, trustDomain } = deps
  if (proofs.x509pop !== undefined) yield { attestation: await proofs.x509pop(), spentToken: past.spentToken }
  const { identity, attempt } = past
  if (identity !== undefined && !identity.reattestable) {
    yield { attestation: rejoinAttestation(identity, keyPair.publicKey, deps), spentToken: past.spentToken }
  }
  if (attempt !== undefined) {
    // The id that the server gives to agents of that token.
    const spiffeId = SpiffeId.of(trustDomain, `/spire/agent/join_token/${attempt.tokenHash.slice(0, 32)}`)
    const last = { spiffeId, privateKey: attempt.privateKey }
    yield { attestation: rejoinAttestation(last, keyPair.publicKey, deps), spentToken: attempt.tokenHash }
  }
  const token = await proofs.token()
  if (token === undefined || hashOfToken(token) === past.spentToken) return
  yield { attestation: joinTokenAttestation(token), spentToken: hashOfToken(token) }
}

/** Has the agent's SVID signed again, with a new key. The old one works until the new one is first used. */
export async function renew(
  current: AgentIdentity,
  bundle: Bundle,
  deps: JoinDeps,
  signal: AbortSignal,
): Promise<AgentIdentity> {
  const keyPair = await deps.cryptography.generateKeyPair('ec-p256')
  const csr = await encodeCsr({ keyPair }, deps.cryptography)
  // An agent that can attest again has to: what it proved the first time may be withdrawn by now.
  if (current.reattestable && deps.proofs.x509pop !== undefined) {
    const reply = await deps.upstream.attest(await deps.proofs.x509pop(), csr, signal)
    return identityOf(reply, keyPair, bundle, deps)
  }
  const reply = await deps.upstream.renew(csr, signal)
  if (!reply.spiffeId.equals(current.spiffeId)) throw unusable(`it is for ${reply.spiffeId.toString()}`)
  return identityOf({ ...reply, reattestable: current.reattestable }, keyPair, bundle, deps)
}

async function identityOf(
  { chain, reattestable }: AgentSvidReply,
  { privateKey }: Pick<KeyPair, 'privateKey'>,
  bundle: Bundle,
  { trustDomain, clock, cryptography, random }: JoinDeps,
): Promise<AgentIdentity> {
  const [leaf, ...intermediates] = chain.map((der) => decodeCertificate(der))
  if (leaf === undefined) throw unusable('its chain is empty')
  const certificates = [leaf, ...intermediates] as const
  const { spiffeId } = await verifyX509Svid(certificates, bundleSetOf([bundle]), clock.now(), cryptography)
  if (!spiffeId.isMemberOf(trustDomain) || !spiffeId.isAgent) throw unusable(`it is for ${spiffeId.toString()}`)
  return agentIdentity({ spiffeId, privateKey, chain, reattestable }, certificates, random, clock.now())
}

/** Takes up a saved identity. Whether it is still valid is a question for the moment of use. */
export function identityFromSaved(saved: SavedIdentity, random: Random): AgentIdentity {
  const [leaf, ...intermediates] = saved.chain.map((der) => decodeCertificate(der))
  if (leaf === undefined) throw unusable('its chain is empty')
  return agentIdentity(saved, [leaf, ...intermediates], random)
}

function agentIdentity(
  saved: SavedIdentity,
  certificates: readonly [Certificate, ...Certificate[]],
  random: Random,
  receivedAt?: Date,
): AgentIdentity {
  const [leaf] = certificates
  if (!leaf.spki.equals(spkiOf(createPublicKey(saved.privateKey)))) throw unusable('it is for another key')
  const notAfter = new Date(Math.min(...certificates.map((certificate) => certificate.notAfter.getTime())))
  return { ...saved, certificates, notAfter, renewAt: renewalTime(leaf.notBefore, notAfter, random, receivedAt) }
}

const unusable = (why: string): SallyportError =>
  new SallyportError('SERVER_ANSWER_INVALID', `Cannot use the agent's SVID: ${why}`)

const noProof = (): SallyportError =>
  new SallyportError('BOOTSTRAP_REFUSED', 'Cannot join: there is no proof that the server has not refused already', {
    hint: 'Make a new join file with `sallyport token create` and put it in the place of the old one.',
  })
