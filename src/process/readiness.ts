import { SallyportError } from '../errors.ts'

/** One thing that must work for the process to be of use. */
export interface Check {
  readonly name: string
  /** Throws or rejects with what is wrong. */
  readonly check: () => void | Promise<void>
}

export interface Health {
  readonly ok: boolean
  /** By the name of the check: `ok`, or what is wrong. */
  readonly checks: Readonly<Record<string, string>>
}

/** Asks every check; what was not thrown on purpose is not shown to strangers. */
export async function healthOf(checks: readonly Check[]): Promise<Health> {
  const results = await Promise.all(checks.map(async ({ name, check }) => [name, await resultOf(check)] as const))
  return { ok: results.every(([, result]) => result === 'ok'), checks: Object.fromEntries(results) }
}

async function resultOf(check: Check['check']): Promise<string> {
  try {
    await check()
    return 'ok'
  } catch (error) {
    return error instanceof SallyportError ? `${error.code}: ${error.message}` : 'failed'
  }
}
