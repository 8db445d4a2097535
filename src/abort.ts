/** What `promise` becomes, or the reason of an abort that comes before. Others may go on waiting for it. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise
  const { promise: first, resolve, reject } = Promise.withResolvers<T>()
  const abort = (): void => reject(signal.reason as Error)
  if (signal.aborted) abort()
  else signal.addEventListener('abort', abort, { once: true })
  void promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  return first
}

/** Resolves when `done` does, or early when `signal` aborts: for whoever looks at the signal next. */
export async function doneOrAborted(done: Promise<void>, signal: AbortSignal): Promise<void> {
  try {
    await orAborted(done, signal)
  } catch (error) {
    if (!signal.aborted) throw error
  }
}
