// Writes src/wire/messages/*.ts from the .proto files: one file a package; of a message its interface and its fields, of a
// service its methods.
// Run `npm run proto` after a change of proto/; a test fails when the two differ.
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import protobuf from 'protobufjs'
import { format } from 'prettier'
import { descriptorsSource } from './generate-descriptors.ts'
import { fileOf, packageOf } from './names.ts'
import { sourceOf } from './package-source.ts'
import { protoFolder } from './proto-folder.ts'

const targetFolder = join(protoFolder, '../src/wire/messages')

/** The generated sources by file name. */
export async function generateTypes(): Promise<Map<string, string>> {
  const root = loaded({ keepCase: false })
  const packages = new Map<string, protobuf.ReflectionObject[]>()
  collect(root, packages)
  const prettierOptions = JSON.parse(readFileSync(join(protoFolder, '../.prettierrc.json'), 'utf8')) as object
  const formatted = (source: string): Promise<string> => format(source, { ...prettierOptions, parser: 'typescript' })
  const sources = new Map<string, string>()
  for (const [name, members] of packages) {
    const source = sourceOf(
      name,
      members.toSorted((a, b) => rank(a) - rank(b)),
    )
    sources.set(fileOf(name), await formatted(source))
  }
  sources.set('file-descriptors.ts', await formatted(descriptorsSource(loaded({ keepCase: true }))))
  return sources
}

function loaded(options: { readonly keepCase: boolean }): protobuf.Root {
  const root = new protobuf.Root()
  root.resolvePath = (_origin, target) => (target.startsWith('google/protobuf/') ? target : join(protoFolder, target))
  const files = readdirSync(protoFolder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.proto'),
  )
  root.loadSync(files, options)
  root.resolveAll()
  return root
}

function collect(space: protobuf.NamespaceBase, packages: Map<string, protobuf.ReflectionObject[]>): void {
  for (const member of space.nestedArray) {
    if (member instanceof protobuf.Type || member instanceof protobuf.Enum || member instanceof protobuf.Service) {
      const name = packageOf(member)
      packages.set(name, [...(packages.get(name) ?? []), member])
      if (member instanceof protobuf.Type) collect(member, packages)
    } else if (member instanceof protobuf.Namespace) collect(member, packages)
  }
}

/** What others refer to comes first: enums, then messages, then services. */
const rank = (member: protobuf.ReflectionObject): number =>
  member instanceof protobuf.Enum ? 0 : member instanceof protobuf.Type ? 1 : 2
if (import.meta.main) {
  rmSync(targetFolder, { recursive: true, force: true })
  mkdirSync(targetFolder, { recursive: true })
  for (const [file, source] of await generateTypes()) writeFileSync(join(targetFolder, file), source)
}
