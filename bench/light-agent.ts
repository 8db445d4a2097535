import type { KeyObject } from 'node:crypto'
import { threadPoolCryptography } from '../src/key/thread-pool-cryptography.ts'
import { agentService } from '../src/wire/messages/spire-api-server-agent-v1.ts'
import { encodeCsr } from '../src/x509/encode-csr.ts'
import { decoderOf, prepare, type LightClient, type PreparedCall } from './light-client.ts'
import { inParallel } from './load.ts'

/** An agent as the server sees it: an id and the SVID that proves it. */
export interface LightAgent {
  readonly agentId: string
  readonly chain: readonly Buffer[]
  readonly privateKey: KeyObject
}

const decodeAttested = decoderOf(agentService, 'attestAgent')
const decodeToken = decoderOf(agentService, 'createJoinToken')

export async function makeCsr(): Promise<{ readonly csr: Buffer; readonly privateKey: KeyObject }> {
  const keyPair = await threadPoolCryptography.generateKeyPair('ec-p256')
  return { csr: await encodeCsr({ keyPair }, threadPoolCryptography), privateKey: keyPair.privateKey }
}

/** Tokens of the server behind this admin client. */
export async function makeTokens(admin: LightClient, count: number): Promise<string[]> {
  const create = prepare(agentService, 'createJoinToken', { ttl: 3600 })
  const numbers = Array.from({ length: count }, (_, index) => index)
  return inParallel(numbers, 16, async () => decodeToken(await admin.call(create)).value)
}

export const attestation = (token: string, csr: Buffer): PreparedCall =>
  prepare(agentService, 'attestAgent', {
    params: { data: { type: 'join_token', payload: Buffer.from(token) }, params: { csr } },
  })

/** Lets so many nodes join. */
export async function joinAgents(admin: LightClient, server: LightClient, count: number): Promise<LightAgent[]> {
  const tokens = await makeTokens(admin, count)
  return inParallel(tokens, 16, async (token) => {
    const { csr, privateKey } = await makeCsr()
    const svid = decodeAttested(await server.call(attestation(token, csr))).result?.svid
    if (!svid?.id) throw new Error('The server attested nobody')
    return { agentId: `spiffe://${svid.id.trustDomain}${svid.id.path}`, chain: svid.certChain, privateKey }
  })
}
