/** Metric names are snake_case and start with `sallyport_`, but for those of the process; labels have few values, never ids. */
export type Labels = Readonly<Record<string, string>>

export interface Counter {
  add(labels?: Labels, amount?: number): void
}

export interface Histogram {
  /** Seconds. */
  observe(seconds: number, labels?: Labels): void
}

export interface MetricDescription {
  readonly name: string
  readonly help: string
  readonly type: 'counter' | 'gauge' | 'histogram'
}

interface Family extends MetricDescription {
  lines(): Iterable<string>
}

/** Upper bounds in seconds, from half a millisecond to ten seconds. */
export const LATENCY_BUCKETS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
]

/** The most label combinations a family keeps; further ones are counted under `other`, so that no caller can grow memory. */
export const SERIES_MAX = 500

/** The metrics of one process, printed in Prometheus' text format. */
export class MetricRegistry {
  readonly #families = new Map<string, Family>()

  counter(name: string, help: string): Counter {
    const series = new Map<string, number>()
    this.#add({
      name,
      help,
      type: 'counter',
      lines: () => [...series].map(([labels, value]) => `${name}${labels} ${value}`),
    })
    return {
      add(labels = {}, amount = 1) {
        const key = seriesKey(series, labels)
        series.set(key, (series.get(key) ?? 0) + amount)
      },
    }
  }

  /** Reads its values when asked for: one number, or a number per label set, of which the first are printed. */
  gauge(name: string, help: string, read: () => number | Iterable<readonly [Labels, number]>): void {
    const lines = (): string[] => {
      const value = read()
      if (typeof value === 'number') return [`${name} ${value}`]
      return [...value].slice(0, SERIES_MAX).map(([labels, number]) => `${name}${printLabels(labels)} ${number}`)
    }
    this.#add({ name, help, type: 'gauge', lines })
  }

  /** A counter that somebody else keeps: it is read when asked for. */
  readCounter(name: string, help: string, read: () => number): void {
    this.#add({ name, help, type: 'counter', lines: () => [`${name} ${read()}`] })
  }

  histogram(name: string, help: string, buckets: readonly number[] = LATENCY_BUCKETS): Histogram {
    const series = new Map<string, { labels: Labels; counts: number[]; sum: number; count: number }>()
    this.#add({
      name,
      help,
      type: 'histogram',
      lines: () => [...series.values()].flatMap((one) => histogramLines(name, buckets, one)),
    })
    return {
      observe(seconds, labels = {}) {
        const key = seriesKey(series, labels)
        let one = series.get(key)
        if (one === undefined) {
          one = { labels: key === OTHER ? { other: 'true' } : labels, counts: buckets.map(() => 0), sum: 0, count: 0 }
          series.set(key, one)
        }
        const index = buckets.findIndex((bound) => seconds <= bound)
        if (index !== -1) one.counts[index] = (one.counts[index] ?? 0) + 1
        one.sum += seconds
        one.count++
      },
    }
  }

  /** What there is, in the order in which it is printed; nothing is read. */
  describe(): readonly MetricDescription[] {
    return [...this.#families.values()].map(({ name, help, type }) => ({ name, help, type }))
  }

  /** Everything in Prometheus' text exposition format 0.0.4. */
  print(): string {
    const texts = [...this.#families.values()].map(
      (family) =>
        `# HELP ${family.name} ${family.help}\n# TYPE ${family.name} ${family.type}\n${[...family.lines()].map((line) => `${line}\n`).join('')}`,
    )
    return texts.join('')
  }

  #add(family: Family): void {
    if (this.#families.has(family.name)) throw new TypeError(`metric ${family.name} exists already`)
    this.#families.set(family.name, family)
  }
}

const OTHER = '{other="true"}'

function seriesKey(series: ReadonlyMap<string, unknown>, labels: Labels): string {
  const key = printLabels(labels)
  return series.has(key) || series.size < SERIES_MAX ? key : OTHER
}

function printLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

const escape = (value: string): string => value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')

function histogramLines(
  name: string,
  buckets: readonly number[],
  series: { readonly labels: Labels; readonly counts: readonly number[]; readonly sum: number; readonly count: number },
): string[] {
  let below = 0
  const lines = buckets.map((bound, index) => {
    below += series.counts[index] ?? 0
    return `${name}_bucket${printLabels({ ...series.labels, le: String(bound) })} ${below}`
  })
  const labels = printLabels(series.labels)
  return [
    ...lines,
    `${name}_bucket${printLabels({ ...series.labels, le: '+Inf' })} ${series.count}`,
    `${name}_sum${labels} ${series.sum}`,
    `${name}_count${labels} ${series.count}`,
  ]
}
