/**
 * A body as one piece. No more of it is read than the limit, and nothing once it is longer.
 *
 * @param tooLong makes the error for one that is longer
 */
export async function wholeBody(
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  maxBytes: number,
  tooLong: () => Error,
): Promise<Buffer<ArrayBuffer>> {
  const read: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of chunks) {
    sizeBytes += chunk.length
    if (sizeBytes > maxBytes) throw tooLong()
    read.push(chunk)
  }
  return Buffer.concat(read)
}
