import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { House } from '../e2e/house.ts'

/** What may happen to those who issue identities while services use theirs, by name. */
export const outages: Readonly<Record<string, (house: House, awayMs: number) => Promise<void>>> = {
  'agent killed': async (house, awayMs) => {
    await house.agent!.stop('SIGKILL')
    await sleep(awayMs)
    await house.startAgent()
  },
  'socket replaced': async (house, awayMs) => {
    await house.agent!.stop('SIGTERM')
    rmSync(house.agentSocket, { force: true })
    await sleep(awayMs)
    await house.startAgent()
  },
  'server away': async (house, awayMs) => {
    await house.server!.stop('SIGKILL')
    await sleep(awayMs)
    await house.startServer()
  },
}
