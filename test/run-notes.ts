import type { Reporter, TestModule, Vitest } from 'vitest/node'

// No reporter of vitest prints the names of what is skipped in a file that passes, nor lists what passed at a second try: this one does.

const REASON = / \(skipped: .*\)$/

/** The name of a test or suite that does not run here. */
export const nameOfSkipped = (name: string, reason: string): string => `${name} (skipped: ${reason})`

/** Lists at the end of a run what did not run on this machine and why, and what failed before it passed. */
export default class RunNotes implements Reporter {
  #vitest: Vitest | undefined

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines = modules.flatMap((module) => [...skippedIn(module), ...retriedIn(module)])
    if (lines.length > 0) this.#vitest?.logger.log(`\n${lines.toSorted().join('\n')}`)
  }
}

const skippedIn = ({ relativeModuleId, children }: TestModule): string[] =>
  [...children.allSuites(), ...children.allTests()]
    .filter(({ name }) => REASON.test(name))
    .map(({ fullName }) => ` ↓ ${relativeModuleId} > ${fullName}`)

function retriedIn({ relativeModuleId, children }: TestModule): string[] {
  return [...children.allTests()].flatMap((one) => {
    const { flaky, retryCount } = one.diagnostic() ?? { flaky: false, retryCount: 0 }
    return flaky ? [` ↻ ${relativeModuleId} > ${one.fullName} (failed ${retryCount}×, then passed)`] : []
  })
}
