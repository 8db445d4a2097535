import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { printBundleDocument } from '../../../src/bundle/bundle-document.ts'
import type { Bundle } from '../../../src/bundle/bundle.ts'
import type { TestAuthority, TestSvid } from '../../../src/testing/test-authority.ts'
import { printPem } from '../../../src/x509/pem.ts'

export type Answer = (request: IncomingMessage, response: ServerResponse) => void

/** A bundle endpoint on a real port. It answers what the test says, and remembers what was asked. */
export class TestEndpoint implements AsyncDisposable {
  readonly #server: Server
  #answer: Answer
  readonly requests: IncomingMessage[] = []
  /** Whether a client showed a certificate. */
  connections = 0

  private constructor(svid: TestSvid, answer: Answer) {
    this.#answer = answer
    this.#server = createServer(
      { ...credentialsOf(svid), requestCert: true, rejectUnauthorized: false },
      (request, response) => {
        this.requests.push(request)
        this.#answer(request, response)
      },
    )
    this.#server.on('secureConnection', () => this.connections++)
  }

  static async open(svid: TestSvid, content: Answer | Bundle | string): Promise<TestEndpoint> {
    const endpoint = new TestEndpoint(svid, answering(content))
    endpoint.#server.listen(0, '127.0.0.1')
    await once(endpoint.#server, 'listening')
    return endpoint
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** Where it is by name; `127.0.0.1` is in no certificate. */
  url(path = '/'): string {
    return `https://localhost:${this.port}${path}`
  }

  answer(content: Answer | Bundle | string): void {
    this.#answer = answering(content)
  }

  present(svid: TestSvid): void {
    this.#server.setSecureContext(credentialsOf(svid))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => this.#server.close(resolve))
  }
}

/** An endpoint that ends with the test. */
export async function serve(svid: TestSvid, content: Answer | Bundle | string = '{}'): Promise<TestEndpoint> {
  const endpoint = await TestEndpoint.open(svid, content)
  onTestFinished(() => endpoint[Symbol.asyncDispose]())
  return endpoint
}

const credentialsOf = ({ chain, keyPair }: TestSvid) => ({
  cert: printPem(chain),
  key: keyPair.privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
})

function answering(content: Answer | Bundle | string): Answer {
  if (typeof content === 'function') return content
  const text = typeof content === 'string' ? content : printBundleDocument(content)
  return (_request, response) => response.setHeader('content-type', 'application/json').end(text)
}

/** A server certificate as the Web has them: for a host name, and for nobody's SPIFFE ID. */
export const webCertificate = (authority: TestAuthority, host = 'localhost'): Promise<TestSvid> =>
  authority.issue('', { uriSans: [], dnsSans: [host], subject: { commonName: host }, extendedKeyUsage: ['serverAuth'] })

/** The same bundle with another sequence. */
export const numbered = (bundle: Bundle, sequenceNumber: number): Bundle => ({ ...bundle, sequenceNumber })
