const LIMIT_MS = 10_000

/** Waits, without letting time pass on any clock of a test, until work that runs in other threads has led to this. */
export async function until(condition: () => boolean, what = 'the condition'): Promise<void> {
  const start = performance.now()
  while (!condition()) {
    if (performance.now() - start > LIMIT_MS) throw new Error(`${what} did not come true`)
    await new Promise((resolve) => setImmediate(resolve))
  }
}
