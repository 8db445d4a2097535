import { expect, test } from 'vitest'
import { MetricRegistry, SERIES_MAX } from '../../../src/metrics/registry.ts'

test('prints counters, gauges and histograms as Prometheus reads them', () => {
  const registry = new MetricRegistry()
  registry.counter('sallyport_issued_total', 'SVIDs issued').add({ kind: 'x509' }, 2)
  registry.gauge('sallyport_agents', 'Agents connected', () => 3)
  registry.gauge('sallyport_expiry', 'Expiry', () => [[{ id: 'a"b' }, 1]])
  const latency = registry.histogram('sallyport_seconds', 'Latency', [0.1, 1])
  latency.observe(0.05)
  latency.observe(0.5)
  latency.observe(5)
  expect(registry.print()).toBe(`# HELP sallyport_issued_total SVIDs issued
# TYPE sallyport_issued_total counter
sallyport_issued_total{kind="x509"} 2
# HELP sallyport_agents Agents connected
# TYPE sallyport_agents gauge
sallyport_agents 3
# HELP sallyport_expiry Expiry
# TYPE sallyport_expiry gauge
sallyport_expiry{id="a\\"b"} 1
# HELP sallyport_seconds Latency
# TYPE sallyport_seconds histogram
sallyport_seconds_bucket{le="0.1"} 1
sallyport_seconds_bucket{le="1"} 2
sallyport_seconds_bucket{le="+Inf"} 3
sallyport_seconds_sum 5.55
sallyport_seconds_count 3
`)
})

test('keeps a bounded number of series, whatever callers send', () => {
  const registry = new MetricRegistry()
  const counter = registry.counter('sallyport_calls_total', 'Calls')
  for (let index = 0; index < SERIES_MAX * 3; index++) counter.add({ method: String(index) })
  expect(registry.print().split('\n').length).toBeLessThan(SERIES_MAX + 10)
  expect(registry.print()).toContain(`{other="true"} ${SERIES_MAX * 2}`)
})

test('refuses a name twice: a programming mistake', () => {
  const registry = new MetricRegistry()
  registry.counter('sallyport_a', 'a')
  expect(() => registry.counter('sallyport_a', 'a')).toThrow(TypeError)
})
