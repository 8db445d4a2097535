import type { Command } from 'commander'
import { globalsOf, type GlobalOptions } from './context.ts'
import { printError, printResult, type Result } from './print.ts'

/**
 * Makes the function that commander calls: runs the command with its arguments, options and the global options, prints what it
 * returns, and turns what it throws into an explained error and an exit code.
 */
export function action<O, A extends readonly unknown[]>(
  run: (options: O & GlobalOptions, ...args: A) => Promise<Result | undefined>,
): (...called: unknown[]) => Promise<void> {
  return async (...called) => {
    const command = called.at(-1) as Command
    const options = { ...command.opts<O & object>(), ...globalsOf(command) } as O & GlobalOptions
    try {
      const result = await run(options, ...(called.slice(0, -2) as unknown as A))
      if (result !== undefined) await printResult(result, options.output)
    } catch (error) {
      process.exitCode = printError(error, options.output)
      if (process.env['DEBUG'] !== undefined) console.error(error)
    }
  }
}

/** For options that may be given several times. */
export const collect = (value: string, earlier: readonly string[] | undefined): string[] => [...(earlier ?? []), value]
