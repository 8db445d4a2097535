import type { SignatureAlgorithm, Signer } from '../../src/key/cryptography.ts'
import { algorithmOf, signatureAlgorithms } from '../../src/key/signature-algorithm.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'
import { encodeName, type Name } from '../../src/x509/name.ts'
import { spkiOf, subjectKeyIdOf } from '../../src/x509/spki.ts'

/** What a self-signed CA certificate will say. */
export interface CaCertificateOrder {
  readonly signer: Signer
  readonly trustDomain: TrustDomain
  readonly subject: Name
  readonly notBefore: Date
  readonly notAfter: Date
  readonly serialNumber: bigint
}

/**
 * Makes the self-signed certificate of an authority: the id of its trust domain as the only name, for signing and nothing else.
 *
 * @returns DER
 * @see X509-SVID.md §4 and appendix A
 */
export async function makeCaCertificate(order: CaCertificateOrder): Promise<Buffer> {
  const x509 = await loadLibrary()
  const { signer, trustDomain, subject, notBefore, notAfter, serialNumber } = order
  const name = new x509.Name(encodeName(subject))
  const spki = spkiOf(signer.publicKey)
  const keyId = subjectKeyIdOf(spki).toString('hex')
  const algorithm = algorithmOf(signer.keyType)
  const key = { algorithm: webAlgorithmOf(algorithm), type: 'private', extractable: false, usages: ['sign'] }
  const certificate = await x509.X509CertificateGenerator.create(
    {
      subject: name,
      issuer: name,
      notBefore,
      notAfter,
      serialNumber: evenHex(serialNumber),
      publicKey: new Uint8Array(spki),
      signingKey: key as unknown as CryptoKey,
      signingAlgorithm: webAlgorithmOf(algorithm),
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        new x509.SubjectKeyIdentifierExtension(keyId),
        new x509.SubjectAlternativeNameExtension([{ type: 'url', value: trustDomain.idString }], false),
      ],
    },
    cryptoOf(signer, algorithm),
  )
  return Buffer.from(certificate.rawData)
}

/** The library takes 140 ms to load, and a server that finds its authorities on disk never needs it. */
async function loadLibrary() {
  await import('reflect-metadata')
  return await import('@peculiar/x509')
}

interface WebAlgorithm {
  readonly name: 'ECDSA' | 'RSASSA-PKCS1-v1_5'
  readonly hash: string
  readonly namedCurve?: string
}

function webAlgorithmOf(algorithm: SignatureAlgorithm): WebAlgorithm {
  const { keyKind, hash, curve } = signatureAlgorithms[algorithm]
  const digest = `SHA-${hash?.slice('sha'.length)}`
  if (keyKind === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: digest }
  return { name: 'ECDSA', hash: digest, namedCurve: curve === 'secp384r1' ? 'P-384' : 'P-256' }
}

/** The one part of WebCrypto that the library uses here: the key stays where it is, only its signature is handed over. */
function cryptoOf(signer: Signer, algorithm: SignatureAlgorithm): Crypto {
  const sign = async (_algorithm: unknown, _key: unknown, data: ArrayBuffer): Promise<ArrayBuffer> => {
    const signature = await signer.sign(algorithm, new Uint8Array(data), 'ieee-p1363')
    return new Uint8Array(signature).buffer
  }
  return { subtle: { sign } } as unknown as Crypto
}

function evenHex(number: bigint): string {
  const hex = number.toString(16)
  return hex.length % 2 === 0 ? hex : `0${hex}`
}
