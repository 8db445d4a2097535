import { printJoinString } from '../../src/config/join-string.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { Transport } from '../../src/wire/client.ts'
import { idToMessage } from '../../src/wire/id-message.ts'
import {
  adminService,
  lifecycleService,
  policiesService,
  type GetStatusResponse,
} from '../../src/wire/messages/sallyport-server-v1.ts'
import { agentService } from '../../src/wire/messages/spire-api-server-agent-v1.ts'
import { entryService } from '../../src/wire/messages/spire-api-server-entry-v1.ts'
import type { Entry, EntryMask } from '../../src/wire/messages/spire-api-types.ts'
import type { Sent } from '../../src/wire/service.ts'
import type { SimulatedProcess } from './machine.ts'
import { ADMIN_SOCKET } from './server-machine.ts'
import type { World } from './world.ts'

const CALL_TIMEOUT_MS = 15_000
/** gRPC's ABORTED and ALREADY_EXISTS and so on: an answer, if not the one that was hoped for. */
export class Refused extends Error {
  readonly code: number

  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

export interface EntryOrder {
  readonly id: string
  readonly spiffeId: string
  readonly parentId: string
  readonly selectors: readonly string[]
  readonly dnsName: string
  readonly ttlSeconds: number
}

/** An administrator at the server's admin socket. A promise that resolves means: acknowledged. */
export class Admin {
  readonly process: SimulatedProcess
  readonly #transport: Transport

  constructor(world: World) {
    this.process = world.process('admin', world.machine())
    this.#transport = world.network.connect({
      link: world.link('admin', 0.02, 0.5),
      address: ADMIN_SOCKET,
      client: this.process,
      peer: {
        pid: 1,
        uid: 0,
        gid: 0,
        supplementaryGids: [],
        isAlive: () => true,
        exited: new AbortController().signal,
      },
    })
  }

  /** What a node needs to join and to be called `alias`. */
  async invite(alias: string): Promise<string> {
    const client = this.#transport.client(adminService)
    const request = { ttlSeconds: 3600, spiffeId: alias, addressRange: '' }
    return printJoinString(await client.createToken(request, { timeoutMs: CALL_TIMEOUT_MS }))
  }

  async createEntry(order: EntryOrder): Promise<Entry> {
    const client = this.#transport.client(entryService)
    const request = { entries: [messageOf(order)] }
    const { results } = await client.batchCreateEntry(request, { timeoutMs: CALL_TIMEOUT_MS })
    return itemOf(results[0])
  }

  async updateEntry(order: EntryOrder): Promise<Entry> {
    const client = this.#transport.client(entryService)
    const request = { entries: [messageOf(order)], inputMask: UPDATED }
    const { results } = await client.batchUpdateEntry(request, { timeoutMs: CALL_TIMEOUT_MS })
    return itemOf(results[0])
  }

  async deleteEntry(id: string): Promise<void> {
    const client = this.#transport.client(entryService)
    const { results } = await client.batchDeleteEntry({ ids: [id] }, { timeoutMs: CALL_TIMEOUT_MS })
    const [result] = results
    if (result?.status?.code !== 0) throw new Refused(result?.status?.code ?? -1, result?.status?.message ?? '')
  }

  async listEntries(): Promise<readonly Entry[]> {
    const client = this.#transport.client(entryService)
    const { entries } = await client.listEntries({ pageSize: 10_000 }, { timeoutMs: CALL_TIMEOUT_MS })
    return entries
  }

  async ban(agentId: string): Promise<void> {
    const id = idToMessage(SpiffeId.parse(agentId))
    await this.#transport.client(agentService).banAgent({ id }, { timeoutMs: CALL_TIMEOUT_MS })
  }

  async evict(agentId: string): Promise<void> {
    const id = idToMessage(SpiffeId.parse(agentId))
    await this.#transport.client(agentService).deleteAgent({ id }, { timeoutMs: CALL_TIMEOUT_MS })
  }

  async applyPolicy(source: string): Promise<void> {
    const request = { source, acceptLoss: true }
    await this.#transport.client(policiesService).apply(request, { timeoutMs: CALL_TIMEOUT_MS })
  }

  /** To the one before. */
  async rollbackPolicy(): Promise<void> {
    await this.#transport.client(policiesService).rollback({ acceptLoss: true }, { timeoutMs: CALL_TIMEOUT_MS })
  }

  async quarantine(identity: string): Promise<void> {
    const request = { identity, reason: 'drill' }
    await this.#transport.client(lifecycleService).addQuarantine(request, { timeoutMs: CALL_TIMEOUT_MS })
  }

  async release(id: string): Promise<void> {
    const client = this.#transport.client(lifecycleService)
    await client.removeQuarantine({ id, reason: 'over' }, { timeoutMs: CALL_TIMEOUT_MS })
  }

  async rotatePolicyKey(): Promise<void> {
    await this.#transport.client(policiesService).rotateKey({ reason: 'drill' }, { timeoutMs: CALL_TIMEOUT_MS })
  }

  /** The one that signs. */
  async revokePolicyKey(): Promise<void> {
    const client = this.#transport.client(policiesService)
    const { keys } = await client.listKeys({}, { timeoutMs: CALL_TIMEOUT_MS })
    const { keyId } = keys.find(({ state }) => state === 'active') ?? {}
    await client.revokeKey({ keyId, reason: 'drill' }, { timeoutMs: CALL_TIMEOUT_MS })
  }

  async status(): Promise<GetStatusResponse> {
    return this.#transport.client(adminService).getStatus({}, { timeoutMs: CALL_TIMEOUT_MS })
  }
}

const UPDATED: Partial<EntryMask> = {
  spiffeId: true,
  parentId: true,
  selectors: true,
  dnsNames: true,
  x509SvidTtl: true,
}

function messageOf({ id, spiffeId, parentId, selectors, dnsName, ttlSeconds }: EntryOrder): Sent<Entry> {
  return {
    id,
    spiffeId: idToMessage(SpiffeId.parse(spiffeId)),
    parentId: idToMessage(SpiffeId.parse(parentId)),
    selectors: selectors.map((text) => ({ type: 'unix', value: text })),
    dnsNames: [dnsName],
    x509SvidTtl: ttlSeconds,
  }
}

function itemOf(
  result:
    | { readonly status: { readonly code: number; readonly message: string } | null; readonly entry: Entry | null }
    | undefined,
): Entry {
  if (result?.status?.code === 0 && result.entry !== null) return result.entry
  throw new Refused(result?.status?.code ?? -1, result?.status?.message ?? '')
}
