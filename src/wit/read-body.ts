import type { Readable } from 'node:stream'
import { SallyportError } from '../errors.ts'

/**
 * Reads a body whole.
 *
 * @throws {@link SallyportError} `MESSAGE_TOO_LARGE`; what is left is then thrown away as it comes. An error of the stream when its
 *   sender goes away
 */
export function readBody(stream: Readable, maxBytes: number): Promise<Buffer> {
  if (stream.readableEnded) throw new TypeError('The body was read before its signature could be checked')
  // It says nothing any more, not even that it has closed.
  if (stream.destroyed) return Promise.reject(wentAway())
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const chunks: Buffer[] = []
  let sizeBytes = 0
  const onData = (chunk: Buffer): void => {
    sizeBytes += chunk.length
    if (sizeBytes <= maxBytes) chunks.push(chunk)
    else settle(() => reject(tooLarge(maxBytes)))
  }
  const onEnd = (): void => settle(() => resolve(Buffer.concat(chunks)))
  const onError = (error: Error): void => settle(() => reject(error))
  const onClose = (): void => settle(() => reject(wentAway()))
  const settle = (done: () => void): void => {
    stream.off('data', onData).off('end', onEnd).off('error', onError).off('close', onClose)
    done()
    stream.resume()
  }
  stream.on('data', onData).on('end', onEnd).on('error', onError).on('close', onClose)
  return promise
}

const wentAway = (): SallyportError => new SallyportError('CALL_CANCELLED', 'The sender of a body went away')

export function tooLarge(maxBytes: number): SallyportError {
  return new SallyportError('MESSAGE_TOO_LARGE', `Cannot check the signature of a body of more than ${maxBytes} bytes`)
}
