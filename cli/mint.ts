import { Command } from 'commander'
import { printWitJwks } from '../src/bundle/jwks.ts'
import { threadPoolCryptography } from '../src/key/thread-pool-cryptography.ts'
import { bundleFromMessage } from '../src/wire/bundle-message.ts'
import { bundleService } from '../src/wire/messages/spire-api-server-bundle-v1.ts'
import { svidService } from '../src/wire/messages/spire-api-server-svid-v1.ts'
import { encodeCsr } from '../src/x509/encode-csr.ts'
import { decodeCertificate } from '../src/x509/decode-certificate.ts'
import { printPem } from '../src/x509/pem.ts'
import { spkiOf } from '../src/x509/spki.ts'
import { action, collect } from './action.ts'
import { audienceOption, audienceWarnings } from './audiences.ts'
import { authoritiesPem } from './authorities-pem.ts'
import { withServer } from './connect.ts'
import type { GlobalOptions } from './context.ts'
import { parseWholeSeconds } from './durations.ts'
import { idArgument } from './ids.ts'
import { fromUnix, printInstant, type Result } from './print.ts'
import { writeSvidFiles, writeWitFiles } from './svid-files.ts'
import { wholeIdAt } from './whole-id.ts'

export function mintCommand(): Command {
  const mint = new Command('mint')
  mint
    .command('x509')
    .description('issue an X509-SVID and write it into a folder')
    .requiredOption('--spiffe-id <id>', 'the identity')
    .option('--dns <name>', 'DNS name for the certificate; repeat for more', collect)
    .option('--ttl <duration>', 'how long it lives (default: the server decides)')
    .requiredOption('--write <folder>', 'where svid.pem, key.pem (0600) and bundle.pem go')
    .addHelpText(
      'after',
      '\nExample:\n  sallyport mint x509 --spiffe-id spiffe://example.org/legacy/backup --ttl 1h --write ./svid',
    )
    .action(action(mintX509))
  mint
    .command('jwt')
    .description('issue a JWT-SVID and print it')
    .requiredOption('--spiffe-id <id>', 'the identity')
    .addOption(audienceOption())
    .option('--ttl <duration>', 'how long it lives (default: the server decides)')
    .addHelpText(
      'after',
      '\nExample:\n  sallyport mint jwt --spiffe-id spiffe://example.org/legacy/backup --audience orders',
    )
    .action(action(mintJwt))
  mint
    .command('wit')
    .description('issue a WIT-SVID and write it into a folder, where the server has them turned on (Incubating)')
    .requiredOption('--spiffe-id <id>', 'the identity')
    .option('--ttl <duration>', 'how long it lives (default: the server decides)')
    .requiredOption('--write <folder>', 'where wit.jwt, wit-key.json (0600) and wit-bundle.json go')
    .addHelpText(
      'after',
      '\nExample:\n  sallyport mint wit --spiffe-id spiffe://example.org/legacy/backup --ttl 1h --write ./wit',
    )
    .action(action(mintWit))
  return mint
}

async function mintX509(
  options: GlobalOptions & { spiffeId: string; dns?: readonly string[]; ttl?: string; write: string },
): Promise<Result> {
  const keyPair = await threadPoolCryptography.generateKeyPair('ec-p256')
  const ttl = options.ttl === undefined ? 0 : parseWholeSeconds(options.ttl)
  return withServer(options, async (transport) => {
    const spiffeId = await wholeIdAt(transport, options.spiffeId)
    const csr = await encodeCsr({ keyPair, uriSan: spiffeId, dnsSans: options.dns ?? [] }, threadPoolCryptography)
    const { svid } = await transport.client(svidService).mintX509Svid({ csr, ttl })
    const bundle = bundleFromMessage(await transport.client(bundleService).getBundle({}))
    const files = await writeSvidFiles(options.write, {
      chainPem: printPem((svid?.certChain ?? []).map((der) => decodeCertificate(der))),
      keyPem: keyPair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
      bundlePem: authoritiesPem(bundle),
    })
    return {
      value: { spiffeId, expiresAt: new Date((svid?.expiresAt ?? 0) * 1000), files },
      sentence: `${spiffeId} until ${printInstant(fromUnix(svid?.expiresAt ?? 0), new Date())}\nWrote ${files.join(', ')}`,
    }
  })
}

async function mintJwt(
  options: GlobalOptions & { spiffeId: string; audience: readonly string[]; ttl?: string },
): Promise<Result> {
  const ttl = options.ttl === undefined ? 0 : parseWholeSeconds(options.ttl)
  return withServer(options, async (transport) => {
    const id = idArgument(await wholeIdAt(transport, options.spiffeId))
    const { svid } = await transport.client(svidService).mintJwtSvid({ id, audience: options.audience, ttl })
    return {
      value: { token: svid?.token, expiresAt: new Date((svid?.expiresAt ?? 0) * 1000) },
      sentence: svid?.token ?? '',
      warnings: audienceWarnings(options.audience),
    }
  })
}

async function mintWit(options: GlobalOptions & { spiffeId: string; ttl?: string; write: string }): Promise<Result> {
  const { publicKey, privateKey } = await threadPoolCryptography.generateKeyPair('ec-p256')
  const ttl = options.ttl === undefined ? 0 : parseWholeSeconds(options.ttl)
  return withServer(options, async (transport) => {
    const id = idArgument(await wholeIdAt(transport, options.spiffeId))
    const order = { id, publicKey: spkiOf(publicKey), signingAlgorithm: 'ES256', ttl }
    const { svid } = await transport.client(svidService).mintWitSvid(order)
    const bundle = bundleFromMessage(await transport.client(bundleService).getBundle({}))
    const files = await writeWitFiles(options.write, {
      token: svid?.token ?? '',
      keyJwk: JSON.stringify({ ...privateKey.export({ format: 'jwk' }), alg: 'ES256' }),
      bundleJwks: printWitJwks(bundle),
    })
    return {
      value: { spiffeId: options.spiffeId, expiresAt: new Date((svid?.expiresAt ?? 0) * 1000), files },
      sentence: `${options.spiffeId} until ${printInstant(fromUnix(svid?.expiresAt ?? 0), new Date())}\nWrote ${files.join(', ')}`,
    }
  })
}
