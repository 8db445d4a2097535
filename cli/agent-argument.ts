import { SallyportError } from '../src/errors.ts'
import { SpiffeId } from '../src/id/spiffe-id.ts'
import type { Transport } from '../src/wire/client.ts'
import { agentService } from '../src/wire/messages/spire-api-server-agent-v1.ts'
import { entryService } from '../src/wire/messages/spire-api-server-entry-v1.ts'
import { idArgument, printId } from './ids.ts'
import { counted } from './print.ts'
import { wholeIdAt } from './whole-id.ts'

/** The id of an agent, which nobody remembers, or the name that its token gave it. */
export async function agentArgument(written: string, transport: Transport): Promise<ReturnType<typeof idArgument>> {
  const text = await wholeIdAt(transport, written)
  const id = SpiffeId.parse(text)
  if (id.isAgent) return idArgument(text)
  const { entries } = await transport
    .client(entryService)
    .listEntries({ filter: { bySpiffeId: idArgument(text) }, pageSize: 500 })
  const parents = [...new Set(entries.map(({ parentId }) => printId(parentId)))]
  const agents = await Promise.all(
    parents.filter((parent) => SpiffeId.parse(parent).isAgent).map((agent) => known(agent, transport)),
  )
  const [agent, ...others] = agents.filter((found) => found !== undefined)
  if (agent !== undefined && others.length === 0) return idArgument(agent)
  throw new SallyportError(
    'AGENT_NOT_FOUND',
    agent === undefined
      ? `No agent is ${text}`
      : `${counted(others.length + 1, 'agent')} are ${text}: ${[agent, ...others].join(', ')}`,
    agent === undefined ? {} : { hint: 'Name one of them.' },
  )
}

/** A token that nobody has used yet has given a name to an agent that does not exist. */
async function known(agent: string, transport: Transport): Promise<string | undefined> {
  try {
    await transport.client(agentService).getAgent({ id: idArgument(agent), outputMask: {} })
    return agent
  } catch (error) {
    if (error instanceof SallyportError && error.row.grpc === 'NOT_FOUND') return undefined
    throw error
  }
}
