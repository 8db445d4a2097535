import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { bundleOf } from '../../src/bundle/bundle.ts'
import { bundleSetOf } from '../../src/bundle/bundle-set.ts'
import { SallyportError } from '../../src/errors.ts'
import { TrustDomain } from '../../src/id/trust-domain.ts'
import { verifyX509Svid } from '../../src/svid/verify.ts'
import { printPem } from '../../src/x509/pem.ts'
import { run } from '../e2e/processes.ts'
import { build, type BuiltChain, type ChainPlan, moment, plans } from './random-chains.ts'
import { describeUnless, missing } from '../unless.ts'

const CHAINS = 400
/** The same chains in every run; another number gives others. */
const SEED = 20_260_601

interface Verdicts {
  readonly plan: ChainPlan
  /** Undefined: accepted. */
  readonly ours: SallyportError | undefined
  readonly theirs: string | undefined
}

/** What openssl complains about, when it complains about nothing else. */
function onlyError({ ours, theirs = '' }: Verdicts, number: number): boolean {
  const found = new Set([...theirs.matchAll(/^error (\d+) at/gm)].map(([, code]) => Number(code)))
  return ours === undefined && found.size === 1 && found.has(number)
}

/**
 * Where the two may differ, and by which rule: of SPIFFE, of this project, or of RFC 5280 where `-x509_strict` asks for more than
 * path validation does. Each row must be met by some chain.
 */
const differences: readonly { readonly rule: string; readonly when: (verdicts: Verdicts) => boolean }[] = [
  {
    rule: 'X5-02, X5-28, X5-32: what identifies a workload has one SPIFFE ID with a path, signs nothing, and says so',
    when: ({ ours, theirs }) => ours?.code === 'X509_SVID_INVALID' && theirs === undefined,
  },
  {
    rule: 'WA-23, IO-10: a chain is sent in its order, each certificate with its issuer behind it; openssl takes a heap of them',
    when: ({ plan, ours, theirs }) =>
      ['swapIntermediates', 'repeatLeaf', 'repeatIntermediate', 'strangerBetween'].includes(plan.handling) &&
      ours?.code === 'CERTIFICATE_UNTRUSTED' &&
      theirs === undefined,
  },
  {
    rule: 'X5-24: name constraints are enforced by openssl, and by us with refusal',
    when: ({ ours, theirs }) => ours?.message.includes('2.5.29.30') === true && theirs === undefined,
  },
  {
    rule: 'RFC 5280 §4.1.2.5: the last moment of a certificate belongs to it; openssl counts it as past',
    when: (verdicts) => verdicts.plan.changes.some(({ twist }) => twist === 'endsNow') && onlyError(verdicts, 10),
  },
  {
    rule: 'X5-33, RFC 5280 §6: key ids help to find a path and are no part of validating it; strict asks for them',
    when: (verdicts) => onlyError(verdicts, 85),
  },
  {
    rule: 'RFC 5280 §6.1.4 (n): of an authority, keyUsage says keyCertSign if it is there; strict asks for it',
    when: (verdicts) => onlyError(verdicts, 92),
  },
]

describeUnless(missing('openssl'), 'openssl verify', () => {
  let folder: string

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'chains-'))
  })

  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  async function ourVerdict({ chain, authorities }: BuiltChain): Promise<SallyportError | undefined> {
    const x509Authorities = authorities.map((certificate) => ({ certificate, tainted: false }))
    const bundles = bundleSetOf([bundleOf({ trustDomain: TrustDomain.parse('example.org'), x509Authorities })])
    try {
      await verifyX509Svid(
        chain.map(({ der }) => der),
        bundles,
        { now: moment },
      )
      return undefined
    } catch (error) {
      expect(error).toBeInstanceOf(SallyportError)
      return error as SallyportError
    }
  }

  async function theirVerdict({ chain, authorities }: BuiltChain, index: number): Promise<string | undefined> {
    const file = (name: string, certificates: BuiltChain['chain']): string => {
      const path = join(folder, `${index}-${name}.pem`)
      writeFileSync(path, certificates.length === 0 ? '' : printPem(certificates))
      return path
    }
    const [leaf, ...others] = chain
    const { code, stdout, stderr } = await run('openssl', [
      ...['verify', '-x509_strict', '-partial_chain', '-purpose', 'any'],
      ...['-attime', `${moment.getTime() / 1000}`],
      ...['-no-CAfile', '-no-CApath', '-no-CAstore'],
      ...(authorities.length === 0 ? [] : ['-trusted', file('bundle', authorities)]),
      ...(others.length === 0 ? [] : ['-untrusted', file('others', others)]),
      file('leaf', [leaf!]),
    ])
    return code === 0 ? undefined : `${stdout}${stderr}`.replaceAll(folder, '')
  }

  test('X5-29: agrees with our verifier on generated chains, or the difference is a named rule', async () => {
    const all = fc.sample(plans, { numRuns: CHAINS, seed: SEED })
    const seen: Verdicts[] = []
    for (let start = 0; start < all.length; start += 8) {
      const some = all.slice(start, start + 8).map(async (plan, offset) => {
        const chain = await build(plan)
        const [ours, theirs] = await Promise.all([ourVerdict(chain), theirVerdict(chain, start + offset)])
        return { plan, ours, theirs }
      })
      seen.push(...(await Promise.all(some)))
    }
    const different = seen.filter(({ ours, theirs }) => (ours === undefined) !== (theirs === undefined))
    const unexplained = different.filter((verdicts) => !differences.some(({ when }) => when(verdicts)))
    expect(
      unexplained.map(({ plan, ours, theirs }) => ({ plan: JSON.stringify(plan), ours: ours?.message, theirs })),
    ).toEqual([])
    expect(differences.filter(({ when }) => !different.some((verdicts) => when(verdicts)))).toEqual([])
    // Neither verdict is rare, so that agreeing means something.
    const accepted = seen.filter(({ ours, theirs }) => ours === undefined && theirs === undefined).length
    const refused = seen.filter(({ ours, theirs }) => ours !== undefined && theirs !== undefined).length
    expect(accepted).toBeGreaterThan(CHAINS / 8)
    expect(refused).toBeGreaterThan(CHAINS / 8)
  }, 120_000)
})
