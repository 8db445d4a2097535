import { existsSync, statSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { serverConfig } from '../server/config.ts'
import { configTemplate } from '../src/config/config-template.ts'
import { parseConfig } from '../src/config/read-config.ts'
import { SallyportError } from '../src/errors.ts'
import type { GlobalOptions } from './context.ts'
import type { Result } from './print.ts'

interface InitOptions extends GlobalOptions {
  readonly trustDomain: string
  readonly dir: string
  readonly listen: string
  readonly advertise?: string
  readonly caKeyType?: string
}

export async function initServer(options: InitOptions): Promise<Result> {
  const path = join(options.dir, 'server.yaml')
  const text = serverYaml(options)
  // What is written is what `server run` will accept, or nothing is written.
  parseConfig(text, path, serverConfig)
  if (existsSync(path)) {
    throw new SallyportError('FILE_EXISTS', `Cannot write ${path}: it exists already`, {
      hint: `Run it with \`sallyport server run --config ${path}\`, or choose another folder with --dir.`,
    })
  }
  checkFolder(options.dir)
  await mkdir(options.dir, { recursive: true, mode: 0o700 })
  await writeFile(path, text, { mode: 0o600, flag: 'wx' })
  return { value: { config: path }, sentence: `Wrote ${path}. Next: sallyport server run --config ${path}` }
}

/** The admin socket goes there, and `server run` would refuse to make it in a folder that others may enter. */
function checkFolder(folder: string): void {
  const status = statSync(folder, { throwIfNoEntry: false })
  if (status === undefined || (status.mode & 0o077) === 0) return
  throw new SallyportError('SOCKET_FOLDER_REFUSED', `Cannot set up a server in ${folder}: other users may enter it`, {
    hint: `Run \`chmod 700 ${folder}\`, or name a folder that does not exist yet.`,
  })
}

function serverYaml({ trustDomain, listen, advertise, caKeyType }: InitOptions): string {
  const head =
    '# A Sallyport server. Every field is listed; those behind # have the default that is shown.\n# Durations: 90s, 10m, 1h, 7d. Relative paths count from the folder of this file.\n\n'
  return `${head}${configTemplate(serverConfig, {
    trustDomain,
    listen,
    ...(advertise === undefined ? {} : { advertisedAddress: advertise }),
    ...(caKeyType === undefined ? {} : { 'ca.keyType': caKeyType }),
  })}`
}
