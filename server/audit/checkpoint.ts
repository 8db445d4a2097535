import type { KeyObject } from 'node:crypto'
import type { Cryptography, SignatureAlgorithm, Signer } from '../../src/key/cryptography.ts'
import { SallyportError } from '../../src/errors.ts'
import { canonicalJson } from '../../src/jws/canonical-json.ts'
import type { AuditPosition } from '../store/store.ts'

/** Says where the audit journal was at an instant. Agents keep them, so that the server cannot forget. */
export interface Checkpoint {
  /** Of the store. */
  readonly epoch: string
  readonly sequence: number
  /** Hash of the link that ends with that record. */
  readonly hash: Buffer
  readonly at: Date
}

export interface SignedCheckpoint extends Checkpoint {
  /** Over {@link signedBytes}. */
  readonly signature: Buffer
}

/** Keeps signatures of checkpoints from being signatures of anything else. */
const CONTEXT = 'sallyport-audit-checkpoint-v1\n'

/** A key that signs checkpoints: Ed25519, or P-256 where the key store has nothing else. */
export type CheckpointKey = Pick<Signer, 'publicKey' | 'sign'>

export interface CheckpointSigner {
  readonly publicKey: KeyObject
  sign(position: AuditPosition, at: Date): Promise<SignedCheckpoint>
}

export function checkpointSigner(epoch: string, key: CheckpointKey): CheckpointSigner {
  const algorithm = checkpointAlgorithm(key.publicKey)
  return {
    publicKey: key.publicKey,
    async sign({ sequence, hash }, at) {
      const checkpoint = { epoch, sequence, hash, at }
      return { ...checkpoint, signature: await key.sign(algorithm, signedBytes(checkpoint), 'ieee-p1363') }
    },
  }
}

/** Is it signed by the holder of that key? */
export async function verifyCheckpoint(
  checkpoint: SignedCheckpoint,
  publicKey: KeyObject,
  cryptography: Pick<Cryptography, 'verify'>,
): Promise<boolean> {
  const data = signedBytes(checkpoint)
  const algorithm = checkpointAlgorithm(publicKey)
  return await cryptography.verify(algorithm, publicKey, data, checkpoint.signature, 'ieee-p1363')
}

/** What is signed: a context and canonical JSON. */
export function signedBytes({ epoch, sequence, hash, at }: Checkpoint): Buffer {
  return Buffer.from(CONTEXT + canonicalJson({ epoch, sequence, hash: hash.toString('hex'), at: at.toISOString() }))
}

function checkpointAlgorithm({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): SignatureAlgorithm {
  if (asymmetricKeyType === 'ed25519') return 'EdDSA'
  if (asymmetricKeyType === 'ec' && asymmetricKeyDetails?.namedCurve === 'prime256v1') return 'ES256'
  throw new SallyportError(
    'KEY_REFUSED',
    `Cannot sign checkpoints with a key of type ${asymmetricKeyType ?? 'unknown'}`,
  )
}
