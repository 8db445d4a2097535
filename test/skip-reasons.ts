import type { Reporter, TestModule, Vitest } from 'vitest/node'

// No reporter of vitest prints the names of what is skipped in a file that passes: this one does, with the reasons in them.

const REASON = / \(skipped: .*\)$/

/** The name of a test or suite that does not run here. */
export const nameOfSkipped = (name: string, reason: string): string => `${name} (skipped: ${reason})`

/** Lists at the end of a run what did not run on this machine, and why. */
export default class SkipReasons implements Reporter {
  #vitest: Vitest | undefined

  onInit(vitest: Vitest): void {
    this.#vitest = vitest
  }

  onTestRunEnd(modules: readonly TestModule[]): void {
    const lines = modules.flatMap(({ relativeModuleId, children }) =>
      [...children.allSuites(), ...children.allTests()]
        .filter(({ name }) => REASON.test(name))
        .map(({ fullName }) => ` ↓ ${relativeModuleId} > ${fullName}`),
    )
    if (lines.length > 0) this.#vitest?.logger.log(`\n${lines.toSorted().join('\n')}`)
  }
}
