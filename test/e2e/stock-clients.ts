import { createPrivateKey, randomUUID, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import * as grpc from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { parseJoinString } from '../../src/config/join-string.ts'
import { threadPoolCryptography as cryptography } from '../../src/key/thread-pool-cryptography.ts'
import { protoFolder } from '../../proto/proto-folder.ts'
import { decodeCertificate } from '../../src/x509/decode-certificate.ts'
import { encodeCsr } from '../../src/x509/encode-csr.ts'
import { printPem } from '../../src/x509/pem.ts'
import type { House } from './house.ts'

/** What came of a call: a decoded message, or the status that ended it. */
export type Message = Record<string, never>

const files = {
  SpiffeWorkloadAPI: 'spiffe/workload.proto',
  'spiffe.broker.API': 'spiffe/broker.proto',
  'grpc.health.v1.Health': 'grpc/health/v1/health.proto',
  'spire.api.server.agent.v1.Agent': 'spire/api/server/agent/v1/agent.proto',
  'spire.api.server.bundle.v1.Bundle': 'spire/api/server/bundle/v1/bundle.proto',
  'spire.api.server.entry.v1.Entry': 'spire/api/server/entry/v1/entry.proto',
  'spire.api.server.svid.v1.SVID': 'spire/api/server/svid/v1/svid.proto',
  'spire.api.server.logger.v1.Logger': 'spire/api/server/logger/v1/logger.proto',
  'spire.api.server.debug.v1.Debug': 'spire/api/server/debug/v1/debug.proto',
  'spire.agent.debug.v1.Debug': 'spire/agent/debug/v1/debug.proto',
  'spire.api.agent.logger.v1.Logger': 'spire/api/agent/logger/v1/logger.proto',
} as const

export type ServiceName = keyof typeof files

type Method = (...args: unknown[]) => unknown

/** A client on @grpc/grpc-js, which knows nothing of our wire. */
export class StockClient implements Disposable {
  readonly #client: grpc.Client & Record<string, Method>
  readonly #metadata: Readonly<Record<string, string>>

  constructor(
    service: ServiceName,
    address: string,
    credentials = grpc.credentials.createInsecure(),
    metadata: Readonly<Record<string, string>> = {},
    options: grpc.ChannelOptions = {},
  ) {
    const definition = loadSync(files[service], {
      ...{ includeDirs: [protoFolder], enums: String, longs: Number, defaults: true, oneofs: true },
    })
    const Client = grpc.makeClientConstructor(definition[service] as grpc.ServiceDefinition, service)
    this.#client = new Client(address, credentials, options) as never
    this.#metadata = metadata
  }

  #sent(): grpc.Metadata {
    const metadata = new grpc.Metadata()
    for (const [name, value] of Object.entries(this.#metadata)) metadata.set(name, value)
    return metadata
  }

  /** One answer. The caller says what it expects; a test compares. */
  call<T = Message>(method: string, request: object = {}): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#client[method]!(request, this.#sent(), (error: grpc.ServiceError | null, answer: T) => {
        if (error === null) resolve(answer)
        else reject(error)
      })
    })
  }

  stream<T = Message>(method: string, request: object = {}): StockStream<T> {
    return new StockStream<T>(this.#client[method]!(request, this.#sent()) as grpc.ClientReadableStream<T>)
  }

  duplex<T = Message>(method: string): { readonly send: (message: object) => void; readonly answers: StockStream<T> } {
    const call = this.#client[method]!(this.#sent()) as grpc.ClientDuplexStream<object, T>
    return { send: (message) => void call.write(message), answers: new StockStream<T>(call) }
  }

  [Symbol.dispose](): void {
    this.#client.close()
  }
}

/** The messages of a stream one after the other, then the status that it ended with. */
export class StockStream<T> implements Disposable {
  readonly #call: grpc.ClientReadableStream<T>
  readonly #messages: T[] = []
  readonly #waiting: ((end: grpc.StatusObject | undefined) => void)[] = []
  #status: grpc.StatusObject | undefined

  constructor(call: grpc.ClientReadableStream<T>) {
    this.#call = call
    call.on('data', (message: T) => {
      this.#messages.push(message)
      this.#wake()
    })
    // The status says the same.
    call.on('error', () => undefined)
    call.on('status', (status) => {
      this.#status = status
      this.#wake()
    })
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake(this.#status)
  }

  /** The next message that has not been taken; throws the status when the stream has ended instead. */
  async next(): Promise<T> {
    while (this.#messages.length === 0) {
      if (this.#status !== undefined) throw Object.assign(new Error(this.#status.details), this.#status)
      await new Promise((resolve) => this.#waiting.push(resolve))
    }
    return this.#messages.shift()!
  }

  async until(wanted: (message: T) => boolean): Promise<T> {
    for (;;) {
      const message = await this.next()
      if (wanted(message)) return message
    }
  }

  async ended(): Promise<grpc.StatusObject> {
    while (this.#status === undefined) await new Promise((resolve) => this.#waiting.push(resolve))
    return this.#status
  }

  [Symbol.dispose](): void {
    this.#call.cancel()
  }
}

/** A workload's client on the agent's socket. */
export const workloadClient = (house: House, options: grpc.ChannelOptions = {}): StockClient =>
  new StockClient(
    'SpiffeWorkloadAPI',
    house.endpoint,
    grpc.credentials.createInsecure(),
    { 'workload.spiffe.io': 'true' },
    options,
  )

/** An administrator's client on the server's socket. */
export const adminClient = (house: House, service: ServiceName): StockClient =>
  new StockClient(service, `unix:${house.serverSocket}`)

/** An agent's own SVID and key, in PEM. */
export interface ForeignIdentity {
  readonly chainPem: string
  readonly keyPem: string
  readonly privateKey: KeyObject
  readonly spiffeId: string
}

const bundlePems = new WeakMap<House, Promise<string>>()

/** Asked once: a house keeps its authority for as long as most tests last. */
function bundlePemOf(house: House): Promise<string> {
  const known = bundlePems.get(house) ?? house.bundlePem()
  bundlePems.set(house, known)
  return known
}

/** A client over TLS, which presents an SVID or nothing. The channel is its own: nothing is shared with another identity. */
export async function tlsClient(
  house: House,
  service: ServiceName,
  identity?: Pick<ForeignIdentity, 'chainPem' | 'keyPem'>,
): Promise<StockClient> {
  const credentials = grpc.credentials.createSsl(
    Buffer.from(await bundlePemOf(house)),
    identity === undefined ? null : Buffer.from(identity.keyPem),
    identity === undefined ? null : Buffer.from(identity.chainPem),
    // The identity is in the URI; who signed it is what a stock client checks.
    { checkServerIdentity: () => undefined },
  )
  const own = {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.primary_user_agent': randomUUID(),
    'grpc.ssl_target_name_override': house.trustDomain,
  }
  return new StockClient(service, `127.0.0.1:${house.port}`, credentials, {}, own)
}

export interface WireSvid {
  readonly id: { readonly trustDomain: string; readonly path: string } | null
  readonly certChain: readonly Buffer[]
  readonly expiresAt: number
}

/** Keys and a CSR as SPIRE's agent makes them: the CSR names nobody. */
export async function agentCsr(): Promise<{ readonly csr: Buffer; readonly privateKey: KeyObject }> {
  const keyPair = await cryptography.generateKeyPair('ec-p256')
  return { csr: await encodeCsr({ keyPair }, cryptography), privateKey: keyPair.privateKey }
}

export function identityOf(svid: WireSvid, privateKey: KeyObject): ForeignIdentity {
  return {
    chainPem: printPem(svid.certChain.map((der) => decodeCertificate(Buffer.from(der)))),
    keyPem: privateKey.export({ type: 'pkcs8', format: 'pem' }),
    privateKey,
    spiffeId: `spiffe://${svid.id?.trustDomain}${svid.id?.path}`,
  }
}

/** Joins with a token as SPIRE's agent does. */
export async function joinAsForeignAgent(house: House, token: string): Promise<ForeignIdentity> {
  const { csr, privateKey } = await agentCsr()
  using client = await tlsClient(house, 'spire.api.server.agent.v1.Agent')
  const { send, answers } = client.duplex<{ result: { svid: WireSvid; reattestable: boolean } }>('AttestAgent')
  using stream = answers
  send({ params: { data: { type: 'join_token', payload: Buffer.from(token) }, params: { csr } } })
  const { result } = await stream.next()
  return identityOf(result.svid, privateKey)
}

/** The token alone, of what `token create` prints. */
export async function newToken(house: House, ...options: readonly string[]): Promise<string> {
  const { stdout, stderr } = await house.cli('token', 'create', ...options)
  if (stdout === '') throw new Error(stderr)
  return parseJoinString(stdout).token
}

/** Reads the files that `fetch x509 --write` made. */
export const writtenIdentity = (folder: string): Pick<ForeignIdentity, 'chainPem' | 'keyPem' | 'privateKey'> => {
  const keyPem = readFileSync(`${folder}/key.pem`, 'utf8')
  return { chainPem: readFileSync(`${folder}/svid.pem`, 'utf8'), keyPem, privateKey: createPrivateKey(keyPem) }
}
