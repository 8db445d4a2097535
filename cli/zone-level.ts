import { zoneLevels, type LevelFacts } from '../src/policy/analysis/zone-levels.ts'
import type { Transport } from '../src/wire/client.ts'
import { lifecycleService, policiesService } from '../src/wire/messages/sallyport-server-v1.ts'
import { eachAgent } from './agent.ts'
import { analysed } from './analysis-source.ts'
import { withServer } from './connect.ts'
import { EXIT } from './context.ts'
import { observed } from './decision-source.ts'
import { printId } from './ids.ts'
import { counted, type Result } from './print.ts'
import { zoneOf, type ZoneOptions } from './zone-show.ts'

export async function zoneLevel(options: ZoneOptions, id: string): Promise<Result> {
  const source = await analysed(options)
  const { target } = zoneOf(source, id)
  const known = options.policy === undefined ? await withServer(options, liveFacts) : UNKNOWN
  const levels = zoneLevels(source.tables, id, {
    ...known,
    entries: source.entries,
    observations: await observed(options),
    now: Date.now(),
  })
  const gaps = levels.filter(({ gap }) => gap !== undefined)
  process.exitCode = gaps.length === 0 ? EXIT.ok : EXIT.failed
  const vector = (of: 'target' | 'capability' | 'achieved'): string => `(${levels.map((level) => level[of]).join(' ')})`
  return {
    value: { zone: id, target, levels },
    rows: levels.map(({ requirement, target, capability, achieved, evidence, gap }) => ({
      requirement,
      'SL-T': target,
      'SL-C': capability,
      'SL-A': achieved,
      evidence,
      gap: gap ?? '',
    })),
    sentence: `${id}: SL-T ${vector('target')}  SL-C ${vector('capability')}  SL-A ${vector('achieved')}, ${gaps.length === 0 ? 'no gap' : counted(gaps.length, 'gap')}.`,
  }
}

type Known = Pick<LevelFacts, 'nodeAttestation' | 'secondSignatures' | 'lastQuarantineMs'>

const UNKNOWN: Known = { nodeAttestation: undefined, secondSignatures: undefined, lastQuarantineMs: undefined }

async function liveFacts(transport: Transport): Promise<Known> {
  const nodeAttestation = new Map<string, string>()
  for await (const { id, attestationType } of eachAgent(transport)) nodeAttestation.set(printId(id), attestationType)
  const { secondSignatures } = await transport.client(policiesService).get({})
  const { quarantines } = await transport.client(lifecycleService).listQuarantines({ includeEnded: true })
  const dates = quarantines.filter(({ proposed }) => !proposed).map(({ sinceMs }) => sinceMs)
  return {
    nodeAttestation,
    secondSignatures: secondSignatures.length,
    lastQuarantineMs: dates.length === 0 ? undefined : Math.max(...dates),
  }
}
