// `npm run docs` prints docs/api from the declarations of the SDK. A test holds them equal.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { apiPages } from './api-reference.ts'

/** Replaces what is in a folder by these pages; leaves it as it is when they cannot be made. */
export function printPages(folder: string, pagesOf: () => ReadonlyMap<string, string>): void {
  const pages = pagesOf()
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  for (const [name, text] of pages) writeFileSync(join(folder, name), text)
}

if (import.meta.main) printPages(join(import.meta.dirname, 'api'), apiPages)
