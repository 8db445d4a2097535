import { ask } from '../ask.ts'
import { percentiles } from '../load.ts'
import { startSallyport, System } from '../system.ts'

await ask('Starts, bundled', async ({ isQuick, add }) => {
  const versions: number[] = []
  const rounds = isQuick ? 5 : 15
  for (let round = 0; round < rounds; round++) {
    const startMs = performance.now()
    const version = startSallyport(['--version'])
    if ((await version.exited) !== 0) throw new Error(version.stderr)
    versions.push(performance.now() - startMs)
  }
  await using system = await System.open()
  const starts: number[] = []
  for (let round = 0; round < rounds; round++) {
    await system.stopServer()
    starts.push(await system.startServer())
  }
  add(
    { name: '`sallyport --version`', value: percentiles(versions).p50Ms, unit: 'ms', atMost: 150, scales: true },
    { name: 'server ready', value: percentiles(starts).p50Ms, unit: 'ms', atMost: 700, scales: true },
  )
})
