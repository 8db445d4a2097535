import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { declareSdk, sdkEntries } from '../build/sdk.ts'
import { declarationsOf, packageCommentOf, type Declaration } from './read-declarations.ts'

const titles: Readonly<Record<keyof typeof sdkEntries, string>> = {
  index: 'sallyport',
  broker: 'sallyport/broker',
  federation: 'sallyport/federation',
  grpc: 'sallyport/grpc',
  testing: 'sallyport/testing',
  wit: 'sallyport/wit',
}

/** The reference of the SDK by file name below `docs/api`, printed from the declarations that the package ships and their TSDoc. */
export function apiPages(): ReadonlyMap<string, string> {
  const types = mkdtempSync(join(tmpdir(), 'sallyport-types-'))
  try {
    declareSdk(types)
    return new Map(
      Object.entries(sdkEntries).map(([entry, source]) => {
        const title = titles[entry as keyof typeof sdkEntries]
        return [`${title.replace('/', '-')}.md`, format(page(title, source, types))]
      }),
    )
  } finally {
    rmSync(types, { recursive: true, force: true })
  }
}

/** As Prettier prints Markdown. */
const format = (text: string): string =>
  execFileSync('node_modules/.bin/prettier', ['--parser', 'markdown'], { input: text, encoding: 'utf8' })

function page(title: string, source: string, types: string): string {
  const text = readFileSync(source, 'utf8')
  const parts = [`# ${title}`, packageCommentOf(text)]
  for (const { section, names, file } of exportsOf(text)) {
    if (section !== undefined) parts.push(`## ${section}`)
    const declared = join(types, dirname(source).replace(/^src\/?/, ''), file.replace(/\.ts$/, '.d.ts'))
    const known = declarationsOf(readFileSync(declared, 'utf8'))
    for (const name of names) {
      const declaration = known.get(name)
      if (declaration === undefined) throw new Error(`${declared} declares no ${name}`)
      parts.push(printDeclaration(name, declaration))
    }
  }
  return `${parts.join('\n\n')}\n`
}

interface Exports {
  /** The heading before them, where one begins. */
  readonly section: string | undefined
  readonly names: readonly string[]
  readonly file: string
}

/** What an entry exports, in its order, under the comments that are its headings. */
function exportsOf(text: string): Exports[] {
  const found = text.matchAll(/^(?:\/\/ (.+)\n)?export (?:type )?\{([^}]*)\} from '([^']+)'/gm)
  return [...found].map(([, section, list = '', file = '']) => ({
    section,
    names: list.split(',').flatMap((name) => name.replace(/^\s*type\s/, '').trim() || []),
    file,
  }))
}

function printDeclaration(name: string, { comment, code }: Declaration): string {
  const lines = (label: string, texts: readonly string[]): string[] => texts.map((text) => `**${label}** ${text}`)
  return [
    `### ${name}`,
    comment.text,
    ...lines(
      'Parameters',
      comment.parameters.length === 0 ? [] : [comment.parameters.map(([of, text]) => `\`${of}\`: ${text}`).join('; ')],
    ),
    ...lines('Returns', comment.returns),
    ...lines('Throws', comment.throws),
    ...lines('See', comment.see),
    ...comment.examples,
    `\`\`\`ts\n${code}\n\`\`\``,
  ]
    .filter((part) => part !== '')
    .join('\n\n')
}
