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
