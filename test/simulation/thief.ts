import { Outbox } from '../../agent/upstream/outbox.ts'
import { parseJoinString } from '../../src/config/join-string.ts'
import { agentService, type AttestAgentRequest } from '../../src/wire/messages/spire-api-server-agent-v1.ts'
import type { Sent } from '../../src/wire/service.ts'
import { encodeCsr } from '../../src/x509/encode-csr.ts'
import type { Random } from './random.ts'
import type { SimulatedSystem } from './system.ts'

/** Somebody who sees invitations. */
export class Thief {
  readonly #system: SimulatedSystem
  readonly #random: Random
  #hasJoined = false

  constructor(system: SimulatedSystem, random: Random) {
    this.#system = system
    this.#random = random
  }

  /** Whether an invitation was used up that was somebody else's. */
  get hasJoined(): boolean {
    return this.#hasJoined
  }

  /** Uses an invitation as well, sooner or later than the node that it was made for. */
  async steal(invitation: string): Promise<void> {
    const { world, server } = this.#system
    const { token, serverAddress } = parseJoinString(invitation)
    const thief = world.process('thief', server.wall)
    await thief.wait(this.#random.pick([0, 5, 20, 5_000, 60_000]) + this.#random.between(0, 10))
    const transport = world.network.connect({
      ...{ link: world.link('thief-server', 0.3, 4), address: serverAddress, client: thief },
      tls: { clientAddress: '10.9.9.9', chain: undefined, verify: () => undefined },
    })
    const requests = new Outbox<Sent<AttestAgentRequest>>()
    const csr = await encodeCsr({ keyPair: await world.cryptography.generateKeyPair('ec-p256') }, world.cryptography)
    requests.push({ params: { data: { type: 'join_token', payload: Buffer.from(token) }, params: { csr } } })
    try {
      for await (const _ of transport.client(agentService).attestAgent(requests, { timeoutMs: 20_000 })) {
        world.trace.add('a thief has joined')
        this.#hasJoined = true
      }
    } catch (error) {
      world.trace.add('a thief is refused')
      world.trace.remark(String(error))
    }
  }
}
