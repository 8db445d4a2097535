import { SallyportError, type ErrorCode } from '../../src/errors.ts'

/** Primary result codes of SQLite and what they mean to us. @see https://www.sqlite.org/rescode.html */
const codesByResult: Readonly<Record<number, ErrorCode>> = {
  5: 'STORE_LOCKED', // BUSY
  6: 'STORE_LOCKED', // LOCKED
  8: 'STORE_PERMISSIONS', // READONLY
  10: 'STORE_IO_FAILED', // IOERR
  11: 'STORE_CORRUPT', // CORRUPT
  13: 'STORE_FULL', // FULL
  14: 'STORE_PERMISSIONS', // CANTOPEN
  23: 'STORE_PERMISSIONS', // AUTH
  26: 'STORE_CORRUPT', // NOTADB
}

/** The code for what `node:sqlite` threw; STORE_FAILED for anything that is not a failure of file or disk. */
export function storeCodeOf(error: unknown): ErrorCode {
  if (error instanceof SallyportError) return error.code
  const result = (error as { errcode?: unknown } | undefined)?.errcode
  return (typeof result === 'number' ? codesByResult[result & 0xff] : undefined) ?? 'STORE_FAILED'
}

/** The same failure with our code, saying which file it happened to. */
export function storeError(error: unknown, path: string): SallyportError {
  if (error instanceof SallyportError) return error
  return new SallyportError(storeCodeOf(error), `Cannot use the database ${path}: ${reasonOf(error)}`, { cause: error })
}

export const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
