import { expect } from 'vitest'
import { SallyportError, type ErrorCode } from '../src/errors.ts'

declare module 'vitest' {
  // oxlint-disable-next-line no-explicit-any -- the type parameters must equal vitest's own
  interface Matchers<R extends void | Promise<void> = void | Promise<void>, T = unknown> {
    /** The function throws, or the value is, a SallyportError of this code whose message holds these words. */
    toThrowCode(code: ErrorCode, words?: string): R
  }
}

expect.extend({
  toThrowCode(received: unknown, code: ErrorCode, words = '') {
    const thrown = typeof received === 'function' ? thrownBy(received as () => unknown) : received
    const pass = thrown instanceof SallyportError && thrown.code === code && thrown.message.includes(words)
    const seen =
      thrown instanceof Error
        ? `${(thrown as { code?: string }).code ?? thrown.name}: ${thrown.message}`
        : String(thrown)
    return { pass, message: () => `expected ${code} with "${words}", got ${seen}` }
  },
})

function thrownBy(action: () => unknown): unknown {
  try {
    action()
  } catch (error) {
    return error
  }
  return undefined
}
