import { createHash } from 'node:crypto'
import { bundleOf, type Bundle } from '../../src/bundle/bundle.ts'
import { parseBundleDocument } from '../../src/bundle/bundle-document.ts'
import { parseJoinString, type JoinInvitation } from '../../src/config/join-string.ts'
import { SallyportError } from '../../src/errors.ts'
import { TrustDomain } from '../../src/id/trust-domain.ts'
import { bundleFromMessage } from '../../src/wire/bundle-message.ts'
import { bundleService } from '../../src/wire/messages/spire-api-server-bundle-v1.ts'
import { readPemCertificates } from '../../src/x509/pem.ts'
import type { AgentConfig } from '../config.ts'
import type { ServerLink } from '../upstream/server-link.ts'
import { readNeeded } from './attestations.ts'
import type { Disk } from './disk.ts'
import type { SavedState } from './saved-state.ts'

const FETCH_TIMEOUT_MS = 10_000

/** Trust domain and address: as configured, else as the join file says, else as they were when it was still there. */
export async function homeOf(
  config: Pick<AgentConfig, 'trustDomain' | 'server' | 'attestor'>,
  saved: Pick<SavedState, 'readNode'>,
  disk: Disk,
): Promise<{ readonly trustDomain: TrustDomain; readonly serverAddress: string }> {
  const { joinFile } = config.attestor
  const invitation = await readInvitation(joinFile, disk)
  // Damage is reported where the rest of the state is read.
  const home = await saved.readNode().then(
    (node) => node.home,
    () => undefined,
  )
  const known = home === undefined ? undefined : TrustDomain.parse(home.trustDomain)
  const trustDomain = config.trustDomain ?? invitation?.trustDomain ?? known
  const serverAddress = config.server.address ?? invitation?.serverAddress ?? home?.serverAddress
  if (trustDomain !== undefined && serverAddress !== undefined) return { trustDomain, serverAddress }
  throw new SallyportError('BOOTSTRAP_REFUSED', `Cannot start: the join file ${joinFile ?? ''} does not exist`, {
    hint: 'Make one with `sallyport token create` on the server, or name the trust domain and the address of the server.',
  })
}

/** What vouches for the server before anything was learned from it. */
export async function bootstrapBundle(
  { trustBundle, attestor: { joinFile } }: Pick<AgentConfig, 'trustBundle' | 'attestor'>,
  trustDomain: TrustDomain,
  link: Pick<ServerLink, 'dial'>,
  disk: Disk,
  signal: AbortSignal,
): Promise<Bundle | undefined> {
  if (trustBundle !== undefined) return readTrustBundle(trustBundle, trustDomain, disk)
  const invitation = await readInvitation(joinFile, disk)
  return invitation && fetchInvitedBundle(invitation, link, signal)
}

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

/** Reads a join file, which holds what `token create` printed; undefined when there is none, such as after joining. */
export async function readInvitation(path: string | undefined, disk: Disk): Promise<JoinInvitation | undefined> {
  const content = path === undefined ? undefined : await disk.read(path)
  return content && parseJoinString(content.toString('utf8'))
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
