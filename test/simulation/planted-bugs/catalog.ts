import { agentBugs } from './agent-bugs.ts'
import type { PlantedBug } from './planted-bug.ts'
import { serverBugs } from './server-bugs.ts'

/** Mistakes that the simulation must find. They exist in a temporary copy of the sources only. */
export const plantedBugs: readonly PlantedBug[] = [...agentBugs, ...serverBugs]
