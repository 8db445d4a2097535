import { createHash } from 'node:crypto'
import { bundleOf, type Bundle } from '../../src/bundle/bundle.ts'
import { parseBundleDocument } from '../../src/bundle/bundle-document.ts'
import { parseJoinString, type JoinInvitation } from '../../src/config/join-string.ts'
import { SallyportError } from '../../src/errors.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import { bundleFromMessage } from '../../src/wire/bundle-message.ts'
import { bundleService } from '../../src/wire/messages/spire-api-server-bundle-v1.ts'
import { readPemCertificates } from '../../src/x509/pem.ts'
import type { ServerLink } from '../upstream/server-link.ts'
import { readNeeded } from './attestations.ts'
import type { Disk } from './disk.ts'

const FETCH_TIMEOUT_MS = 10_000

/** Reads a bundle from a file: a SPIFFE bundle document, or certificates in PEM. */
export async function readTrustBundle(path: string, trustDomain: TrustDomain, disk: Disk): Promise<Bundle> {
  const text = (await readNeeded(disk, path)).toString('utf8')
  if (text.trimStart().startsWith('{')) return parseBundleDocument(text, trustDomain)
  const certificates = readPemCertificates(text)
  return bundleOf({
    trustDomain,
    x509Authorities: certificates.map((certificate) => ({ certificate, tainted: false })),
  })
}

/** Reads a join file, which holds what `token create` printed. */
export async function readJoinFile(path: string, disk: Disk): Promise<JoinInvitation> {
  return parseJoinString((await readNeeded(disk, path)).toString('utf8'))
}

/**
 * Fetches the bundle from somebody who says to be the server, and keeps of it only the authorities that the invitation names by
 * hash. Nothing secret is sent on that connection; the next one is verified with what remains.
 */
export async function fetchInvitedBundle(
  invitation: JoinInvitation,
  link: Pick<ServerLink, 'dial'>,
  signal: AbortSignal,
): Promise<Bundle> {
  const transport = link.dial(async () => undefined)
  try {
    const message = await transport.client(bundleService).getBundle({}, { signal, timeoutMs: FETCH_TIMEOUT_MS })
    const bundle = bundleFromMessage(message)
    const invited = bundle.x509Authorities.filter(({ certificate }) =>
      invitation.authorityHashes.some((hash) => hash.equals(createHash('sha256').update(certificate.der).digest())),
    )
    if (invited.length > 0 && bundle.trustDomain.equals(invitation.trustDomain)) {
      return bundleOf({ trustDomain: bundle.trustDomain, x509Authorities: invited })
    }
  } finally {
    await transport.close()
  }
  throw new SallyportError(
    'BOOTSTRAP_REFUSED',
    `Cannot trust ${invitation.serverAddress}: none of its authorities is one that the join file names`,
    {
      hint: 'Check the address. If the server has new authorities since, make a new join file with `sallyport token create`.',
    },
  )
}
