import type { Clock } from '../clock.ts'
import { MetricRegistry } from '../metrics/registry.ts'
import { VERSION } from '../version.ts'

/** Metrics that begin with those of this process, under the names that every client library of Prometheus has for them. */
export function processMetrics(clock: Pick<Clock, 'now'>): MetricRegistry {
  const metrics = new MetricRegistry()
  const startSeconds = clock.now().getTime() / 1000 - process.uptime()
  metrics.gauge('sallyport_build_info', 'The version that runs', () => [
    [{ version: VERSION, node: process.versions.node }, 1],
  ])
  metrics.gauge('process_start_time_seconds', 'When the process started, in Unix time', () => startSeconds)
  metrics.gauge('process_resident_memory_bytes', 'Memory of the process that is in RAM', () =>
    process.memoryUsage.rss(),
  )
  metrics.readCounter('process_cpu_seconds_total', 'Processor time that the process has used', () => {
    const { user, system } = process.cpuUsage()
    return (user + system) / 1e6
  })
  return metrics
}
