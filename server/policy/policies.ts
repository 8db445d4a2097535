import type { Clock } from '../../src/clock.ts'
import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import type { Cryptography } from '../../src/key/cryptography.ts'
import { checkEffects } from '../../src/policy-file/check-effects.ts'
import { checkPolicy } from '../../src/policy-file/check-policy.ts'
import { PolicyProblems, type Finding } from '../../src/policy-file/finding.ts'
import { readPolicyFile } from '../../src/policy-file/read-policy.ts'
import type { PolicySet } from '../../src/policy/policy-set.ts'
import { resolveMembership } from '../../src/policy/resolve-membership.ts'
import type { Deed } from '../audit/deed.ts'
import { policyApplied, policyCosigned, policyPending } from '../audit/policy-events.ts'
import type { Directory } from '../entries/directory.ts'
import type { PendingPolicy, PolicyRevisionRow, SignatureText } from '../store/policy-rows.ts'
import type { Store } from '../store/store.ts'
import { lossesOf, slicesLost, type Loss } from './losses.ts'
import { Members, registeredIdentityOf } from './members.ts'
import { ObservingSince } from './observing-since.ts'
import type { PolicyBook } from './policy-book.ts'
import type { PolicyKeys, SecondSigner } from './policy-keys.ts'
import { checkSecondSignature, touchesTargetFour } from './second-signature.ts'
import { canonicalText, sha256Hex } from './signed-text.ts'

export interface PoliciesDeps {
  readonly trustDomain: TrustDomain
  readonly store: Store
  readonly directory: Directory
  readonly book: PolicyBook
  readonly keys: PolicyKeys
  readonly clock: Clock
  readonly cryptography: Cryptography
  readonly secondSigners: readonly SecondSigner[]
  /** Whose way in must not be cut by accident. */
  readonly admins: readonly SpiffeId[]
}

/** What is thought of a policy before it is applied. */
export interface Judged {
  readonly set: PolicySet | undefined
  /** SHA-256 (hex) of the parsed policy; empty when it cannot be read. */
  readonly digest: string
  readonly findings: readonly Finding[]
  readonly losses: readonly Loss[]
  readonly needsSecondSignature: boolean
  /** Of the policy as it would be; undefined when it is wrong. */
  readonly members: Members | undefined
}

export interface ApplyOptions {
  readonly expectedBase?: number | undefined
  readonly dryRun: boolean
  readonly acceptLoss: boolean
  readonly note: string
}

export interface Applied {
  /** What is current now, or what would be, or what waits. */
  readonly row: PolicyRevisionRow
  readonly findings: readonly Finding[]
  readonly losses: readonly Loss[]
  readonly isPending: boolean
  readonly isUnchanged: boolean
}

/** The longest note of a revision, in characters. */
export const NOTE_MAX = 1_000

/** Applies policies: read → check against what is registered → compare with what holds → commit the next revision (SE-45). */
export class Policies {
  readonly #deps: PoliciesDeps
  readonly #observingSince: ObservingSince
  #last: Promise<unknown> = Promise.resolve()

  constructor(deps: PoliciesDeps) {
    this.#deps = deps
    this.#observingSince = new ObservingSince(deps.store)
  }

  /** Changes nothing. */
  async judge(source: string, caller?: SpiffeId): Promise<Judged> {
    const { directory, clock, book, trustDomain } = this.#deps
    let file: ReturnType<typeof readPolicyFile>
    try {
      file = readPolicyFile(source)
    } catch (error) {
      if (!(error instanceof PolicyProblems)) throw error
      return { set: undefined, digest: '', findings: error.findings, ...NOTHING }
    }
    const { set, placeOf } = file
    const now = clock.now().getTime()
    const before = book.current?.row
    const observingSince = before === undefined ? new Map<string, number>() : await this.#observingSince.of(before, now)
    const { current } = book
    const registered = Array.from(directory.entries(), registeredIdentityOf)
    // Most policies leave the zones as they are: then everybody is where they were.
    const rows = current?.members.resolvedFor(set) ?? resolveMembership(set, registered)
    const findings = [
      ...problemOfTrustDomain(set, trustDomain, placeOf),
      ...checkPolicy(set, { registered, rows, now, observingSince, placeOf }),
    ]
    const held = current && { set: current.row.policy, members: current.members }
    const admins = caller === undefined ? this.#deps.admins : [...this.#deps.admins, caller]
    // What does not compile has no members, and gives no rights to compare.
    const isWrong = findings.some(({ severity }) => severity === 'error')
    const members = isWrong ? undefined : (current?.members.followedBy(set) ?? Members.of(set, directory, rows))
    const effects = members === undefined ? [] : checkEffects(members.sliceIndex, { now, placeOf })
    const losses = members === undefined ? [] : lossesOf(held, { set, members }, uniqueIds(admins))
    const hasLong = effects.some(({ code }) => code === 'SLICE_TOO_LONG')
    const slices = hasLong && members !== undefined ? slicesLost(held?.members, members) : []
    return {
      set,
      digest: sha256Hex(canonicalText(set)),
      findings: [...findings, ...effects],
      members,
      losses: [...losses, ...slices],
      needsSecondSignature: touchesTargetFour(current?.row.policy, set),
    }
  }

  /**
   * @throws {@link PolicyProblems} `POLICY_INVALID`
   * @throws {@link SallyportError} `POLICY_BASE_STALE`, `POLICY_WOULD_LOSE`, `POLICY_SIGNATURE_REFUSED`
   */
  apply(source: string, options: ApplyOptions, deed: Deed, caller?: SpiffeId): Promise<Applied> {
    return this.#inTurn(() => this.#apply({ source, rolledBackTo: 0 }, options, deed, caller))
  }

  /**
   * The text of an earlier revision as a new one.
   *
   * @param toRevision 0: the one before the current one
   * @throws {@link SallyportError} `POLICY_NOT_FOUND` and those of {@link apply}
   */
  rollback(toRevision: number, options: ApplyOptions, deed: Deed, caller?: SpiffeId): Promise<Applied> {
    return this.#inTurn(async () => {
      const { store, book } = this.#deps
      if (book.current === undefined) throw noPolicy()
      const revision = toRevision === 0 ? book.policyRevision - 1 : toRevision
      if (revision === 0) throw policyNotFound('There is no policy revision before the first')
      const row = await store.policyRevision(revision)
      if (row === undefined) throw policyNotFound(`There is no policy revision ${revision}`)
      return await this.#apply({ source: row.source, rolledBackTo: revision }, options, deed, caller)
    })
  }

  /**
   * Takes a second signature; the pending policy becomes the next revision.
   *
   * @throws {@link SallyportError} `POLICY_SIGNATURE_REFUSED`, `POLICY_NOT_FOUND`, `POLICY_BASE_STALE`
   */
  cosign(
    given: { readonly digest: string; readonly keyId: string; readonly signature: Buffer },
    deed: Deed,
  ): Promise<Applied> {
    return this.#inTurn(async () => {
      const { keys, secondSigners, cryptography, book } = this.#deps
      const signature = await checkSecondSignature(keys.state, given, secondSigners, cryptography)
      const { pending } = keys.state
      if (pending === undefined) throw policyNotFound('No policy waits for a signature')
      this.#checkBase(pending.base)
      const { base: _base, ...rest } = pending
      const row = this.#nextRow(rest, [signature])
      const revision = await keys.change(withoutPending, {
        mutations: [{ kind: 'policy.put', row }],
        audit: [policyCosigned(deed, given.digest, given.keyId), policyApplied(deed, { ...row, acceptedLosses: 0 })],
      })
      await book.reached(revision)
      return { row, findings: [], losses: [], isPending: false, isUnchanged: false }
    })
  }

  async #apply(
    { source, rolledBackTo }: { readonly source: string; readonly rolledBackTo: number },
    { expectedBase, dryRun, acceptLoss, note }: ApplyOptions,
    deed: Deed,
    caller: SpiffeId | undefined,
  ): Promise<Applied> {
    const { store, book, secondSigners } = this.#deps
    if (note.length > NOTE_MAX) {
      throw new SallyportError(
        'REQUEST_INVALID',
        `Cannot apply a policy: its note is longer than ${NOTE_MAX} characters`,
      )
    }
    this.#checkBase(expectedBase)
    const { set, digest, findings, losses, needsSecondSignature, members } = await this.judge(source, caller)
    const errors = findings.filter(({ severity }) => severity === 'error')
    if (set === undefined || errors.length > 0) throw new PolicyProblems('the policy', errors)
    const { current } = book
    const common = { findings, losses, isPending: false, isUnchanged: false }
    if (current?.row.digest === digest) return { ...common, row: current.row, isUnchanged: true }
    const appliedBy = String(deed.callerId ?? 'server')
    const draft = { digest, source, policy: set, appliedBy, appliedAtMs: deed.at.getTime(), note, rolledBackTo }
    const row = this.#nextRow({ ...draft, secondSignatures: [] }, [])
    if (dryRun) return { ...common, row, isPending: needsSecondSignature }
    if (losses.length > 0 && !acceptLoss) throw wouldLose(losses)
    if (needsSecondSignature) {
      if (secondSigners.length === 0) throw noSecondSigner()
      await this.#putPending({ ...draft, secondSignatures: [], base: book.policyRevision }, deed)
      return { ...common, row: { ...row, revision: 0 }, isPending: true }
    }
    if (members !== undefined) book.offer(set, members)
    const outcome = await store.commit({
      mutations: [{ kind: 'policy.put', row }],
      audit: [policyApplied(deed, { ...row, acceptedLosses: losses.length })],
    })
    if (!outcome.ok) throw baseStale(row.revision - 1, 'a newer one')
    await book.reached(outcome.revision)
    return { ...common, row }
  }

  async #putPending(pending: PendingPolicy, deed: Deed): Promise<void> {
    const { keys, book } = this.#deps
    const revision = await keys.change((state) => ({ ...state, pending }), { audit: [policyPending(deed, pending)] })
    await book.reached(revision)
  }

  #nextRow(
    draft: Omit<PolicyRevisionRow, 'revision' | 'epoch'>,
    secondSignatures: readonly SignatureText[],
  ): PolicyRevisionRow {
    const { book } = this.#deps
    return { ...draft, revision: book.policyRevision + 1, epoch: book.epoch, secondSignatures }
  }

  #checkBase(expected: number | undefined): void {
    const { policyRevision } = this.#deps.book
    if (expected !== undefined && expected !== policyRevision) throw baseStale(expected, `revision ${policyRevision}`)
  }

  #inTurn<T>(action: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(action)
    this.#last = turn.catch(() => undefined)
    return turn
  }
}

const NOTHING = { losses: [], needsSecondSignature: false, members: undefined }

const withoutPending = <T extends { readonly pending?: PendingPolicy }>({ pending: _pending, ...state }: T) => state

const uniqueIds = (ids: readonly SpiffeId[]): SpiffeId[] => [...new Map(ids.map((id) => [id.toString(), id])).values()]

function problemOfTrustDomain(
  set: PolicySet,
  { name }: TrustDomain,
  placeOf: (path: readonly PropertyKey[]) => Finding['place'],
): Finding[] {
  if (set.trustDomain === name) return []
  const path = ['metadata', 'trustDomain']
  return [
    {
      ...{ code: 'TRUST_DOMAIN_OTHER', severity: 'error', path: path.join('.'), place: placeOf(path) },
      message: `is ${set.trustDomain}, but this server is the authority of ${name}`,
      remedy: `Write trustDomain: ${name}, or apply it to the other server.`,
    },
  ]
}

/** What to do where there is no policy yet. */
export const APPLY_ONE = 'Apply one with `sallyport policy apply FILE`.'

export const noPolicy = (): SallyportError =>
  new SallyportError('POLICY_NOT_FOUND', 'No policy is applied', { hint: APPLY_ONE })

export const policyNotFound = (message: string): SallyportError => new SallyportError('POLICY_NOT_FOUND', message)

const baseStale = (expected: number, found: string): SallyportError =>
  new SallyportError('POLICY_BASE_STALE', `Cannot apply on top of revision ${expected}: ${found} is current`)

const wouldLose = (losses: readonly Loss[]): SallyportError =>
  new SallyportError(
    'POLICY_WOULD_LOSE',
    `Cannot apply this policy without accepting its losses:\n${losses.map(({ message }) => `  ${message}`).join('\n')}`,
  )

const noSecondSigner = (): SallyportError =>
  new SallyportError(
    'POLICY_SIGNATURE_REFUSED',
    'Cannot apply this policy: it changes what holds for a zone of target 4, which needs a signature made elsewhere (SE-45)',
    { hint: 'Name the public key of another machine in policy.secondSigners of the server configuration.' },
  )
