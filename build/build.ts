// `npm run build`: what the package holds. The command line and the writer thread in `dist`, the SDK and its declarations in `dist/sdk`.
import { rmSync } from 'node:fs'
import { buildCommandLine } from './command-line.ts'
import { buildSdk } from './sdk.ts'

const parts: Readonly<Record<string, () => Promise<void>>> = { 'command-line': buildCommandLine, sdk: buildSdk }
const wanted = process.argv.slice(2)

if (wanted.length === 0) rmSync('dist', { recursive: true, force: true })
for (const [name, build] of Object.entries(parts)) if (wanted.length === 0 || wanted.includes(name)) await build()
