import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The licences of the packages whose files these are, as their licences ask of whoever passes them on. */
export function printNotices(files: readonly string[]): string {
  const folders = new Set(files.flatMap((file) => /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []))
  const notices = [...folders].toSorted().map(noticeOf)
  return ['The command line of Sallyport contains these packages:', ...notices].join(`\n\n${'-'.repeat(80)}\n\n`)
}

function noticeOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as {
    readonly name: string
    readonly version: string
    readonly license?: string
  }
  const texts = readdirSync(folder).filter((file) => /^(licen[cs]e|notice|copying)/i.test(file))
  if (texts.length === 0 && license === undefined) throw new Error(`${folder} has no licence`)
  const lines = texts.toSorted().map((file) => readFileSync(join(folder, file), 'utf8').trim())
  return [`${name} ${version} (${license ?? 'licence below'})`, ...lines].join('\n\n')
}
