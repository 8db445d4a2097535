// `npm run docs` prints docs/api from the declarations of the SDK. A test holds them equal.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { apiPages } from './api-reference.ts'

const folder = join(import.meta.dirname, 'api')
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder)
for (const [name, text] of apiPages()) writeFileSync(join(folder, name), text)
