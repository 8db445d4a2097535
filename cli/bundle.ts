import { readFile } from 'node:fs/promises'
import { Command, Option } from 'commander'
import { bundleOf, type Bundle } from '../src/bundle/bundle.ts'
import { parseBundleDocument, printBundleDocument } from '../src/bundle/bundle-document.ts'
import { printJwks, printWitJwks } from '../src/bundle/jwks.ts'
import { SallyportError } from '../src/errors.ts'
import { TrustDomain } from '../src/id/trust-domain.ts'
import { bundleFromMessage, bundleToMessage } from '../src/wire/bundle-message.ts'
import { bundleService } from '../src/wire/messages/spire-api-server-bundle-v1.ts'
import { readPemCertificates } from '../src/x509/pem.ts'
import { action } from './action.ts'
import { withServer } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { authoritiesPem } from './authorities-pem.ts'
import { checkStatus, codeOfItem } from './item-status.ts'
import type { Result } from './print.ts'

type Format = 'pem' | 'jwks' | 'wit-jwks' | 'spiffe'

const formatOption = () =>
  new Option(
    '--format <format>',
    'pem: CA certificates; jwks: JWT keys; wit-jwks: WIT keys; spiffe: the first two, as a SPIFFE bundle',
  )
    .choices(['pem', 'jwks', 'wit-jwks', 'spiffe'])
    .default('pem')

export function bundleCommand(): Command {
  const bundle = new Command('bundle')
  bundle
    .command('show')
    .description("print this trust domain's bundle, or a foreign one")
    .argument('[trust domain]')
    .addOption(formatOption())
    .option('--wit', 'the WIT keys too, with --format spiffe; SPIRE before 1.15.3 refuses a bundle that has any')
    .addHelpText(
      'after',
      '\nExamples:\n  sallyport bundle show --format pem > bundle.pem\n  sallyport bundle show --format spiffe --wit',
    )
    .action(action(showBundle))
  bundle
    .command('list')
    .description('list foreign bundles')
    .addHelpText('after', '\nExample:\n  sallyport bundle list')
    .action(action(listBundles))
  bundle
    .command('set')
    .description('store the bundle of a foreign trust domain')
    .argument('<trust domain>')
    .requiredOption('--file <path>', 'PEM or SPIFFE bundle document')
    .addHelpText('after', '\nExample:\n  sallyport bundle set partner.example --file partner.json')
    .action(action(setBundle))
  bundle
    .command('delete')
    .description('remove the bundle of a foreign trust domain')
    .argument('<trust domain>')
    .addOption(
      new Option('--mode <mode>', 'entries that federate with it: refuse, delete them, or take it out of them')
        .choices(['restrict', 'delete', 'dissociate'])
        .default('restrict'),
    )
    .addHelpText('after', '\nExample:\n  sallyport bundle delete partner.example --mode dissociate')
    .action(action(deleteBundle))
  return bundle
}

async function showBundle(options: GlobalOptions & { format: Format; wit?: boolean }, name?: string): Promise<Result> {
  if (options.wit === true && options.format !== 'spiffe') {
    throw new SallyportError('COMMAND_INVALID', `Cannot add WIT keys to the format ${options.format}`, {
      hint: 'Say --format spiffe --wit, or --format wit-jwks for these keys alone.',
    })
  }
  return withServer(options, async (transport) => {
    const client = transport.client(bundleService)
    const message =
      name === undefined ? await client.getBundle({}) : await client.getFederatedBundle({ trustDomain: name })
    const bundle = bundleFromMessage(message)
    const text = printed(bundle, options).trimEnd()
    return {
      value:
        options.format === 'pem' ? { trustDomain: bundle.trustDomain.name, pem: text } : (JSON.parse(text) as unknown),
      sentence: text,
    }
  })
}

function printed(bundle: Bundle, { format, wit }: { readonly format: Format; readonly wit?: boolean }): string {
  if (format === 'jwks') return printJwks(bundle)
  if (format === 'wit-jwks') return printWitJwks(bundle)
  return format === 'spiffe' ? printBundleDocument(bundle, { witKeys: wit }) : authoritiesPem(bundle)
}

async function listBundles(options: GlobalOptions): Promise<Result> {
  return withServer(options, async (transport) => {
    const { bundles } = await transport.client(bundleService).listFederatedBundles({})
    const rows = bundles.map(({ trustDomain, x509Authorities, jwtAuthorities, sequenceNumber }) => ({
      'trust domain': trustDomain,
      'x509 authorities': x509Authorities.length,
      'jwt authorities': jwtAuthorities.length,
      sequence: sequenceNumber,
    }))
    const value = bundles.map(({ trustDomain, x509Authorities, jwtAuthorities, sequenceNumber }) => ({
      trustDomain,
      x509Authorities: x509Authorities.length,
      jwtAuthorities: jwtAuthorities.length,
      sequenceNumber,
    }))
    return {
      value,
      rows,
      ...(rows.length === 0 ? { sentence: 'No foreign bundles. Store one with `sallyport bundle set`.' } : {}),
    }
  })
}

async function setBundle(options: GlobalOptions & { file: string }, name: string): Promise<Result> {
  const trustDomain = TrustDomain.parse(name)
  const text = await readFile(options.file, 'utf8')
  const bundle = text.includes('-----BEGIN')
    ? bundleOf({
        trustDomain,
        x509Authorities: readPemCertificates(text).map((certificate) => ({ certificate, tainted: false })),
      })
    : parseBundleDocument(text, trustDomain)
  return withServer(options, async (transport) => {
    const { results } = await transport
      .client(bundleService)
      .batchSetFederatedBundle({ bundle: [bundleToMessage(bundle)] })
    for (const { status } of results) checkStatus(status)
    return { value: { trustDomain: name }, sentence: `Stored the bundle of ${name}.` }
  })
}

async function deleteBundle(options: GlobalOptions & { mode: string }, name: string): Promise<Result> {
  return withServer(options, async (transport) => {
    const mode = options.mode.toUpperCase() as 'RESTRICT' | 'DELETE' | 'DISSOCIATE'
    const { results } = await transport.client(bundleService).batchDeleteFederatedBundle({ trustDomains: [name], mode })
    for (const { status } of results) {
      const isThere = codeOfItem(status ?? undefined) !== 'ITEM_NOT_FOUND'
      checkStatus(
        status,
        isThere
          ? 'Use --mode dissociate to take it out of the entries that name it.'
          : 'List what there is with `sallyport bundle list`.',
      )
    }
    return { value: { trustDomain: name }, sentence: `Removed the bundle of ${name}.` }
  })
}
