import { text } from 'node:stream/consumers'
import { Command } from 'commander'
import { printWitJwks } from '../src/bundle/jwks.ts'
import { parseDuration } from '../src/config/field-types.ts'
import { SallyportError } from '../src/errors.ts'
import { SpiffeId } from '../src/id/spiffe-id.ts'
import type { WorkloadClient } from '../src/workload/workload-client.ts'
import { printPem } from '../src/x509/pem.ts'
import { action } from './action.ts'
import { audienceOption, audienceWarnings } from './audiences.ts'
import { authoritiesPem } from './authorities-pem.ts'
import { withWorkloadApi } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { printInstant, type Result } from './print.ts'
import { writeSvidFiles, writeWitFiles } from './svid-files.ts'

export function fetchCommand(): Command {
  const fetch = new Command('fetch')
  fetch
    .command('x509')
    .description('fetch X509-SVIDs')
    .option(
      '--write <folder>',
      'write svid.pem, key.pem (0600) and bundle.pem of the first identity, and federated/NAME.pem of each partner',
    )
    .option('--timeout <duration>', 'how long to wait for an answer', '10s')
    .addHelpText('after', '\nExample:\n  sallyport fetch x509 --write ./svid')
    .action(action(fetchX509))
  fetch
    .command('jwt')
    .description('fetch JWT-SVIDs')
    .addOption(audienceOption())
    .option('--spiffe-id <id>', 'only this identity')
    .option('--timeout <duration>', 'how long to wait for an answer', '10s')
    .addHelpText('after', '\nExample:\n  sallyport fetch jwt --audience orders')
    .action(action(fetchJwt))
  fetch
    .command('wit')
    .description('fetch WIT-SVIDs, where server and agent have them turned on (Incubating)')
    .option('--spiffe-id <id>', 'only this identity')
    .option('--write <folder>', 'write wit.jwt, wit-key.json (0600) and wit-bundle.json of the first identity')
    .option('--timeout <duration>', 'how long to wait for an answer', '10s')
    .addHelpText('after', '\nExample:\n  sallyport fetch wit --write ./wit')
    .action(action(fetchWit))
  return fetch
}

export function validateCommand(): Command {
  const validate = new Command('validate')
  validate
    .command('jwt')
    .description('validate a JWT-SVID from standard input')
    .requiredOption('--audience <name>', 'the audience it must be meant for')
    .addHelpText('after', '\nExample:\n  sallyport validate jwt --audience orders < token')
    .action(action(validateJwt))
  return validate
}

interface FetchOptions extends GlobalOptions {
  readonly timeout: string
}

function timeoutOf({ timeout }: FetchOptions): { readonly timeoutMs: number } {
  return { timeoutMs: Math.max(1, Math.round(parseDuration(timeout) * 1000)) }
}

/** The process that asked is gone when somebody reads this; what they can explain is the shell that they typed it in. */
async function asThisUser<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    if (!(error instanceof SallyportError) || error.code !== 'NO_IDENTITY') throw error
    throw new SallyportError('NO_IDENTITY', error.message.replace(/ process \d+$/, ' this command'), {
      cause: error,
      hint: 'Run `sallyport explain --pid $$` in this shell to see which selector differs.',
    })
  }
}

async function fetchX509(options: FetchOptions & { write?: string }): Promise<Result> {
  return withWorkloadApi(options, async (client: WorkloadClient) => {
    const { svids, bundles } = await asThisUser(client.fetchX509Svids(timeoutOf(options)))
    const [first] = svids
    const now = new Date()
    const rows = svids.map((svid) => ({
      'spiffe id': svid.spiffeId.toString(),
      serial: svid.chain[0].serialNumber.toString(),
      expires: printInstant(svid.chain[0].notAfter, now),
      dns: svid.chain[0].dnsSans.join(' '),
      hint: svid.hint,
    }))
    const value = svids.map((svid) => ({
      spiffeId: svid.spiffeId.toString(),
      serialNumber: svid.chain[0].serialNumber.toString(),
      expiresAt: svid.chain[0].notAfter,
      dns: svid.chain[0].dnsSans,
      hint: svid.hint,
    }))
    if (options.write === undefined || first === undefined) return { value, rows }
    const own = first.spiffeId.trustDomain
    const others = bundles.values().filter(({ trustDomain }) => !trustDomain.equals(own))
    const files = await writeSvidFiles(options.write, {
      chainPem: printPem(first.chain),
      keyPem: first.privateKey?.export({ type: 'pkcs8', format: 'pem' }) as string,
      bundlePem: authoritiesPem(bundles.get(own)),
      federatedPem: new Map(others.map((bundle) => [bundle.trustDomain.name, authoritiesPem(bundle)])),
    })
    return { value: { svids: value, files }, rows, sentence: `Wrote ${files.join(', ')}` }
  })
}

async function fetchJwt(options: FetchOptions & { audience: readonly string[]; spiffeId?: string }): Promise<Result> {
  if (options.audience.includes('')) {
    throw new SallyportError('COMMAND_INVALID', 'Cannot fetch a JWT-SVID: an audience is empty', {
      hint: 'Name who may accept it, such as --audience orders.',
    })
  }
  return withWorkloadApi(options, async (client: WorkloadClient) => {
    const spiffeId = options.spiffeId === undefined ? undefined : SpiffeId.parse(options.spiffeId)
    const svids = await asThisUser(client.fetchJwtSvids({ audience: options.audience, spiffeId }, timeoutOf(options)))
    const value = svids.map(({ spiffeId: id, token, expiresAt }) => ({ spiffeId: id.toString(), token, expiresAt }))
    return { value, sentence: svids.map(({ token }) => token).join('\n'), warnings: audienceWarnings(options.audience) }
  })
}

async function fetchWit(options: FetchOptions & { spiffeId?: string; write?: string }): Promise<Result> {
  return withWorkloadApi(options, async (client: WorkloadClient) => {
    const spiffeId = options.spiffeId === undefined ? undefined : SpiffeId.parse(options.spiffeId)
    const svids = await asThisUser(client.fetchWitSvids({ spiffeId }, timeoutOf(options)))
    const now = new Date()
    const rows = svids.map((svid) => ({
      'spiffe id': svid.spiffeId.toString(),
      proofs: svid.algorithm,
      expires: printInstant(svid.expiresAt, now),
      hint: svid.hint,
    }))
    const value = svids.map((svid) => ({
      spiffeId: svid.spiffeId.toString(),
      algorithm: svid.algorithm,
      expiresAt: svid.expiresAt,
      hint: svid.hint,
    }))
    const [first] = svids
    if (options.write === undefined || first === undefined) return { value, rows }
    const own = (await client.fetchWitBundles(timeoutOf(options))).get(first.spiffeId.trustDomain)
    const files = await writeWitFiles(options.write, {
      token: first.token,
      keyJwk: JSON.stringify({ ...first.privateKey.export({ format: 'jwk' }), alg: first.algorithm }),
      bundleJwks: own === undefined ? '{"keys":[]}' : printWitJwks(own),
    })
    return { value: { svids: value, files }, rows, sentence: `Wrote ${files.join(', ')}` }
  })
}

async function validateJwt(options: GlobalOptions & { audience: string }): Promise<Result> {
  if (process.stdin.isTTY) process.stderr.write('Paste the token, then press Ctrl-D.\n')
  const token = (await text(process.stdin)).trim()
  if (token === '') {
    throw new SallyportError('COMMAND_INVALID', 'Cannot validate: standard input is empty', {
      hint: 'Pipe a token into it: sallyport fetch jwt --audience NAME | sallyport validate jwt --audience NAME',
    })
  }
  return withWorkloadApi(options, async (client: WorkloadClient) => {
    const { spiffeId, claims } = await client.validateJwtSvid(token, options.audience)
    return {
      value: { spiffeId: spiffeId.toString(), claims },
      sentence: `Valid: ${spiffeId.toString()}\n${JSON.stringify(claims, undefined, 2)}`,
    }
  })
}
