// `npm run build`: what the package holds. The command line and the writer thread in `dist`, the SDK and its declarations in `dist/sdk`.
import { rmSync } from 'node:fs'
import { buildCommandLine } from './command-line.ts'
import { buildSdk } from './sdk.ts'

rmSync('dist', { recursive: true, force: true })
await Promise.all([buildCommandLine(), buildSdk()])
