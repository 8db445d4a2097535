import type { AnalysisOptions } from './analysis-source.ts'
import { observedTraffic, type DecisionOptions } from './decision-source.ts'
import type { Result } from './print.ts'

export interface ReportOptions extends AnalysisOptions, DecisionOptions {
  readonly base?: string
  readonly days?: string
  readonly issued?: boolean
}

export async function reportTraffic(options: ReportOptions): Promise<Result> {
  const observations = await observedTraffic(options)
  return { value: observations, sentence: observations.map((line) => JSON.stringify(line)).join('\n') }
}
