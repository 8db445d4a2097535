import { setTimeout as sleep } from 'node:timers/promises'
import { House } from '../../test/e2e/house.ts'
import { outages } from '../../test/soak/outages.ts'
import { Soak, type SoakReport } from '../../test/soak/soak.ts'
import { ask } from '../ask.ts'

const SVID_SECONDS = 60
const serverYaml = `ca: {ttl: 10m}\nsvid: {x509Ttl: ${SVID_SECONDS}s, jwtTtl: 60s, agentTtl: 2m}`

/** Looks until something is so; gives the seconds that it took. */
async function secondsUntil(soak: Soak, isSo: (now: SoakReport, before: SoakReport) => boolean): Promise<number> {
  const startMs = performance.now()
  let before = await soak.look()
  for (;;) {
    await sleep(500)
    const now = await soak.look()
    if (isSo(now, before)) return (performance.now() - startMs) / 1_000
    if (performance.now() - startMs > 120_000) throw new Error(`it does not come to be: ${JSON.stringify(now)}`)
    before = now
  }
}

await ask(
  `two services with SVIDs of ${SVID_SECONDS} s, 200 requests/s, while those who issue them are away`,
  async ({ isQuick, add }) => {
    await using house = await House.open({ serverYaml })
    await using soak = await Soak.start(house, { requestsPerSecond: 200, svidTtl: `${SVID_SECONDS}s` })
    // Half of a life is left when a renewal is due. Into it go the outage, the start, and the pauses after which agents and
    // sources try again, which grow with the outage.
    const awayMs = 6_000
    for (let round = 0; round < (isQuick ? 1 : 2); round++) {
      for (const [name, happen] of Object.entries(outages)) {
        const { failures, client } = await soak.look()
        await happen(house, awayMs)
        // Until a renewal has come that the outage may have been in the way of.
        await sleep((SVID_SECONDS * 1_000) / 2)
        const after = await soak.look()
        const unit = `failed of ${(after.client.sent - client.sent).toLocaleString('en')}`
        add({
          name: `${name} for ${awayMs / 1_000} s, time ${round + 1}`,
          value: after.failures - failures,
          unit,
          atMost: 0,
        })
      }
    }
    const { failures } = await soak.look()
    await Promise.all([house.agent!.stop('SIGKILL'), house.server!.stop('SIGKILL')])
    const heldSeconds = await secondsUntil(soak, (now) => now.failures > failures)
    await secondsUntil(soak, ({ client }) => client.health === 'expired')
    await house.startServer()
    await house.startAgent()
    const backSeconds = await secondsUntil(
      soak,
      (now, before) => now.failures === before.failures && now.client.answered > before.client.answered,
    )
    const recovered = await soak.look()
    await sleep(10_000)
    const { failures: later, client } = await soak.look()
    for (const [what, count] of Object.entries(client.failed)) console.log(`${count} × ${what}`)
    add(
      {
        name: 'both away for longer than SVIDs live: requests went on for',
        value: heldSeconds,
        unit: 's',
        atLeast: SVID_SECONDS / 2 - 3,
      },
      { name: '… and again after both were back for', value: backSeconds, unit: 's', atMost: 31 },
      { name: '… failed in the 10 s after that', value: later - recovered.failures, unit: '', atMost: 0 },
    )
  },
  { needsPackage: false },
)
