import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { Cryptography, SignatureAlgorithm } from '../../src/key/cryptography.ts'
import { readPemCertificates } from '../../src/x509/pem.ts'
import {
  decodeRejoinChallenge,
  encodeRejoinPayload,
  encodeRejoinResponse,
  REJOIN,
  rejoinSignedBytes,
} from '../../src/x509/rejoin-payload.ts'
import { spkiOf } from '../../src/x509/spki.ts'
import {
  answerX509popChallenge,
  decodeX509popChallenge,
  encodeX509popPayload,
  encodeX509popResponse,
  X509POP,
} from '../../src/x509/x509pop-payload.ts'
import type { Attestation } from '../upstream/attestation.ts'
import type { Disk } from './disk.ts'

const NONCE_BYTES = 32

/** Proof by a token that the server made and that is good for one use. */
export function joinTokenAttestation(token: string): Attestation {
  return { type: 'join_token', payload: Buffer.from(token), answer: () => Promise.reject(unasked('join_token')) }
}

/** How the agent remembers a token that it has spent. */
export const hashOfToken = (token: string): string => createHash('sha256').update(token, 'utf8').digest('hex')

/** Proof by a certificate of another PKI and its key, both files read anew each time, since they are renewed too. */
export async function x509popAttestation(
  files: { readonly certificate: string; readonly privateKey: string; readonly intermediates?: string | undefined },
  { disk, random }: { readonly disk: Disk; readonly random: (bytes: number) => Buffer },
): Promise<Attestation> {
  const chain = readPemCertificates((await readNeeded(disk, files.certificate)).toString('utf8'))
  const more =
    files.intermediates === undefined
      ? []
      : readPemCertificates((await readNeeded(disk, files.intermediates)).toString('utf8'))
  const privateKey = readPrivateKey(await readNeeded(disk, files.privateKey), files.privateKey)
  return {
    type: X509POP,
    payload: encodeX509popPayload([...chain, ...more].map(({ der }) => der)),
    async answer(challenge) {
      return encodeX509popResponse(
        await answerX509popChallenge(decodeX509popChallenge(challenge), privateKey, random(NONCE_BYTES)),
      )
    },
  }
}

/** Proof by the last agent key, for an agent that was away for longer than its SVID lived. */
export function rejoinAttestation(
  last: { readonly spiffeId: SpiffeId; readonly privateKey: KeyObject },
  newPublicKey: KeyObject,
  { cryptography, random }: { readonly cryptography: Cryptography; readonly random: (bytes: number) => Buffer },
): Attestation {
  const { spiffeId: agentId, privateKey } = last
  return {
    type: REJOIN,
    payload: encodeRejoinPayload({ agentId, lastSpki: spkiOf(createPublicKey(privateKey)) }),
    async answer(challenge) {
      const nonce = random(NONCE_BYTES)
      const signed = rejoinSignedBytes({
        agentId,
        challengeNonce: decodeRejoinChallenge(challenge),
        responseNonce: nonce,
        newSpki: spkiOf(newPublicKey),
      })
      const signature = await cryptography.sign(agentKeyAlgorithm(privateKey), privateKey, signed, 'der')
      return encodeRejoinResponse({ nonce, signature })
    },
  }
}

const ecAlgorithms: Readonly<Record<string, SignatureAlgorithm>> = { secp384r1: 'ES384', secp521r1: 'ES512' }

function agentKeyAlgorithm(key: KeyObject): SignatureAlgorithm {
  if (key.asymmetricKeyType === 'rsa') return 'RS256'
  return ecAlgorithms[key.asymmetricKeyDetails?.namedCurve ?? ''] ?? 'ES256'
}

/** Reads a file that the configuration names. */
export async function readNeeded(disk: Disk, path: string): Promise<Buffer> {
  const content = await disk.read(path)
  if (content !== undefined) return content
  throw new SallyportError('BOOTSTRAP_REFUSED', `Cannot read ${path}: it does not exist`)
}

function readPrivateKey(pem: Buffer, path: string): KeyObject {
  try {
    return createPrivateKey(pem)
  } catch {
    // Without the cause: what OpenSSL says may tell about the key.
    throw new SallyportError('BOOTSTRAP_REFUSED', `Cannot read ${path}: it is not an unencrypted private key in PEM`)
  }
}

const unasked = (type: string): SallyportError =>
  new SallyportError('SERVER_ANSWER_INVALID', `The server asked back where ${type} has nothing to answer`)
