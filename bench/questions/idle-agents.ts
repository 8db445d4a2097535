import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { ask } from '../ask.ts'
import { cpuMsOf, rssBytesOf } from '../cost.ts'
import { Crowd } from '../crowd.ts'
import { System } from '../system.ts'

const counts = [
  { agents: 1000, maxCpu: 3, maxRss: 240, spire: '33 % of a core; 257 MB' },
  { agents: 2000, maxCpu: 6, maxRss: undefined, spire: '' },
]

await ask('Connected idle agents with 10 entries each', async ({ isQuick, add }) => {
  for (const { agents, maxCpu, maxRss, spire } of isQuick ? counts.slice(0, 1) : counts) {
    const queriesFile = join('/var/tmp', `sallyport-bench-queries-${process.pid}`)
    writeFileSync(queriesFile, '')
    const preload = join('/var/tmp', `sallyport-bench-preload-${process.pid}.mjs`)
    // Not as TypeScript: what reads that would take memory of the server.
    writeFileSync(preload, stripTypeScriptTypes(readFileSync(join(import.meta.dirname, '../count-queries.ts'), 'utf8')))
    await using system = await System.open({ serverFlags: ['--import', preload], queriesFile })
    rmSync(preload)
    using crowd = await Crowd.connect(system, agents, 10)
    // What the joins left to do is over then.
    await pause(isQuick ? 8000 : 15_000)
    const seconds = isQuick ? 5 : 10
    const [cpuBefore, queriesBefore] = [cpuMsOf(system.serverPid), statSync(queriesFile).size]
    await pause(seconds * 1000)
    const cpuPercent = (cpuMsOf(system.serverPid) - cpuBefore) / seconds / 10
    const made = readFileSync(queriesFile, 'latin1').slice(queriesBefore)
    rmSync(queriesFile)
    add(
      { name: `${agents}: server CPU`, value: cpuPercent, unit: '% of a core', atMost: maxCpu, scales: true, spire },
      { name: `${agents}: database queries`, value: made.length / seconds, unit: '/s', atMost: 0 },
      {
        name: `${agents}: RSS of the server`,
        value: rssBytesOf(system.serverPid) / 1e6,
        unit: 'MB',
        ...(maxRss === undefined ? {} : { atMost: maxRss }),
      },
      { name: `${agents}: streams that ended`, value: crowd.ended, unit: '', atMost: 0 },
    )
  }
})
