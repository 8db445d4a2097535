import { spawnSync } from 'node:child_process'
import { pathToFileURL } from 'node:url'
import { ask } from '../ask.ts'
import { percentiles } from '../load.ts'
import { packageFile } from '../package.ts'

/** The middle of many starts, one kind after the other in turn, so that a slow moment of the machine is everybody's. */
function startTimes(programs: readonly string[], rounds: number): readonly number[] {
  const times = programs.map((): number[] => [])
  for (let round = 0; round < rounds; round++) {
    for (const [index, program] of programs.entries()) {
      const startMs = performance.now()
      const { status, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', program], {
        encoding: 'utf8',
      })
      if (status !== 0) throw new Error(stderr)
      times[index]!.push(performance.now() - startMs)
    }
  }
  return times.map((each) => percentiles(each).p50Ms)
}

await ask('Importing the SDK, over an empty process', async ({ isQuick, add }) => {
  const importing = (file: string): string => `await import(${JSON.stringify(pathToFileURL(packageFile(file)).href)})`
  const programs = ['', importing('dist/sdk/index.js'), importing('dist/sdk/testing.js')]
  const [empty = 0, sdk = 0, testing = 0] = startTimes(programs, isQuick ? 7 : 25)
  add(
    { name: '`sallyport`', value: sdk - empty, unit: 'ms', atMost: 120, scales: true },
    { name: '`sallyport/testing`', value: testing - empty, unit: 'ms' },
  )
})
