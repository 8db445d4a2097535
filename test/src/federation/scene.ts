import { onTestFinished } from 'vitest'
import { BundleEndpoints, type BundleEndpointsOptions } from '../../../src/federation/bundle-endpoints.ts'
import type { FetchReport } from '../../../src/federation/fetch-report.ts'
import type { RelationshipHealth } from '../../../src/federation/relationship-health.ts'
import { until } from '../../fakes/until.ts'
import { PollClock } from './poll-clock.ts'

/** Relationships that are open until the test ends, and what they told. */
export interface Scene {
  readonly endpoints: BundleEndpoints
  readonly clock: PollClock
  readonly reports: readonly FetchReport[]
  readonly healths: readonly RelationshipHealth[]
  /** Lets time pass until the next attempt, and waits until that is over. */
  nextPoll(): Promise<FetchReport>
}

export async function openScene(
  options: Omit<BundleEndpointsOptions, 'ownTrustDomain'> & Partial<BundleEndpointsOptions>,
  clock = new PollClock(new Date()),
): Promise<Scene> {
  const reports: FetchReport[] = []
  const healths: RelationshipHealth[] = []
  const endpoints = await BundleEndpoints.open({
    ownTrustDomain: 'example.org',
    clock,
    onFetch: (report) => reports.push(report),
    onHealth: (health) => healths.push(health),
    ...options,
  })
  onTestFinished(() => endpoints.close())
  const nextPoll = async (): Promise<FetchReport> => {
    const before = reports.length
    await clock.wakeNext(options.relationships.length)
    await until(() => reports.length > before, 'the next attempt')
    return reports.at(-1)!
  }
  return { endpoints, clock, reports, healths, nextPoll }
}
