import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { apiPages } from '../../docs/api-reference.ts'
import { printPages } from '../../docs/print-api.ts'
import { root } from '../e2e/processes.ts'

const docs = join(root, 'docs')
let pages: ReadonlyMap<string, string>

beforeAll(() => {
  pages = apiPages()
})

describe('docs/api', () => {
  test('is what the declarations say (npm run docs)', () => {
    expect(readdirSync(join(docs, 'api')).toSorted((a, b) => a.localeCompare(b))).toEqual(
      [...pages.keys()].toSorted((a, b) => a.localeCompare(b)),
    )
    for (const [name, text] of pages) expect(readFileSync(join(docs, 'api', name), 'utf8')).toBe(text)
  })

  test('stays as it is while the sources do not compile', () => {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-api-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'sallyport.md'), 'printed before')
    const failing = (): never => {
      throw new Error('does not compile')
    }
    expect(() => printPages(folder, failing)).toThrow('does not compile')
    expect(readFileSync(join(folder, 'sallyport.md'), 'utf8')).toBe('printed before')
    printPages(folder, () => new Map([['other.md', 'new']]))
    expect(readdirSync(folder)).toEqual(['other.md'])
  })

  test('has a sentence about everything but plain options', () => {
    const bare = [...pages.values()].flatMap((text) =>
      [...text.matchAll(/^### (\w+)\n\n```ts\n(\w+)/gm)].flatMap(([, name = '', kind = '']) =>
        /^(interface|type)$/.test(kind) ? [] : [name],
      ),
    )
    expect(bare).toEqual([])
  })
})

/** The programs that a page shows. Declarations are shown in the same way; they are not programs. */
function programsOf(text: string): string[] {
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```/gm)]
    .map(([, code = '']) => code)
    .filter((code) => !/^(abstract )?(class|interface|type|function|const \w+:) ?/.test(code))
}

/** What programs take for granted, besides the public names. */
const assumed: Readonly<Record<string, string>> = {
  source: 'X509Source & JwtSource & WitSource',
  handler: `import('node:http').RequestListener`,
  endpoints: 'BundleEndpoints',
  broker: 'BrokerClient',
  app: '{ use(middleware: BearerMiddleware): void }',
  server: `import('@grpc/grpc-js').Server`,
  started: '() => void',
  received: 'string',
  pem: 'string',
  policy: 'PolicySource',
  chain: 'readonly Uint8Array[]',
  OrdersClient: 'new (address: string, credentials: ReturnType<typeof channelCredentials>) => object',
}

/** A program as a module: with the public names, unless it imports what it needs itself. */
function moduleOf(program: string): string {
  const own = program.match(/^import .*$/gm) ?? []
  const imports = [...pages].map(([page, text]) => {
    const names = [...text.matchAll(/^### (\w+)$/gm)].map(([, name]) => name)
    return `import { ${names.join(', ')} } from '${page.replace('.md', '').replace('-', '/')}'`
  })
  const node = [`import http from 'node:http'`, `import https from 'node:https'`]
  const given = Object.entries(assumed).map(([name, type]) => `declare const ${name}: ${type}`)
  return [
    ...(own.length === 0 ? [...imports, ...node, ...given] : own),
    `export async function program(): Promise<void> {\n${program.replaceAll(/^import .*$/gm, '')}\n}`,
  ].join('\n')
}

/** Compiles programs as strictly as this project; gives what is wrong with them. */
function problemsOf(programs: readonly string[]): string {
  mkdirSync(join(root, 'node_modules/.cache'), { recursive: true })
  const folder = mkdtempSync(join(root, 'node_modules/.cache/docs-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const files = programs.map((program, index) => {
    writeFileSync(join(folder, `program-${index}.ts`), moduleOf(program))
    return `program-${index}.ts`
  })
  const lax = { noUnusedLocals: false, noUnusedParameters: false, verbatimModuleSyntax: false, isolatedModules: false }
  const config = { extends: join(root, 'tsconfig.json'), compilerOptions: lax, include: [], files }
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(config))
  try {
    execFileSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder], { encoding: 'utf8' })
    return ''
  } catch (error) {
    return (error as { readonly stdout: string }).stdout
  }
}

describe('what is shown as code', { timeout: 60_000 }, () => {
  test('in TSDoc type-checks', () => {
    const programs = [...pages.values()].flatMap(programsOf)
    expect(programs.length).toBeGreaterThan(10)
    expect(problemsOf(programs)).toBe('')
  })

  test('in docs/sdk.md type-checks', () => {
    const programs = programsOf(readFileSync(join(docs, 'sdk.md'), 'utf8'))
    expect(programs.length).toBeGreaterThan(5)
    expect(problemsOf(programs)).toBe('')
  })

  test('is found to be wrong where it is', () => {
    expect(problemsOf([`const id: number = source.current().svid.spiffeId`])).toContain(`'number'`)
  })
})
