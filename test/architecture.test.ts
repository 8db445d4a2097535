import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, test } from 'vitest'

const root = resolve(import.meta.dirname, '..')

/** Rooms from the highest floor to the lowest; rooms on one floor do not import each other. Extend it when a room is added. */
const floors: Readonly<Record<string, readonly (readonly string[])[]>> = {
  src: [
    ['index.ts', 'wit.ts', 'grpc', 'testing'],
    ['enforce', 'broker'],
    ['federation'],
    ['workload'],
    ['wire'],
    ['wit'],
    ['http', 'grpc'],
    ['tls', 'policy-file'],
    ['svid', 'policy'],
    ['bundle'],
    ['x509', 'jws'],
    ['process'],
    ['config', 'key', 'entry'],
    ['id', 'log', 'metrics', 'peer'],
    ['errors.ts', 'abort.ts', 'clock.ts', 'disk', 'process-start.ts', 'version.ts'],
  ],
  server: [
    ['server.ts'],
    ['data-folder.ts', 'metrics.ts', 'settings.ts'],
    ['rpc'],
    ['sync', 'federation'],
    ['access'],
    ['authority', 'attest'],
    ['lifecycle'],
    ['policy'],
    ['entries'],
    ['audit'],
    ['store', 'keys', 'pki'],
    ['config.ts'],
  ],
  agent: [
    ['agent.ts'],
    ['metrics.ts'],
    ['rpc'],
    ['svids', 'policy', 'broker'],
    ['node', 'entries'],
    ['attest', 'upstream'],
    ['config.ts'],
  ],
}

/** Which wings a wing may import. */
const wings: Readonly<Record<string, readonly string[]>> = {
  src: ['src'],
  server: ['server', 'src'],
  agent: ['agent', 'src'],
  proxy: ['proxy', 'src'],
  cli: ['cli', 'server', 'agent', 'proxy', 'src'],
}

const owners: readonly (readonly [RegExp, readonly string[]])[] = [
  [/^(@peculiar\/x509|reflect-metadata)$/, ['server/pki']],
  [/^jose$/, ['src/jws']],
  [/^@grpc\//, ['src/grpc']],
  [/^pino$/, ['src/log']],
  [/^yaml$/, ['src/config']],
  [/^(node:sqlite|pg)$/, ['server/store']],
  [/^koffi$/, ['src/peer', 'src/process', 'server/keys']],
]

/** Libraries that the SDK may load when it is imported. Services carry each of them. */
const sdkLibraries: readonly string[] = []
/** What Node 22 lacks; `using` is lowered by the build. */
const newerThanNode22 =
  /\b(Temporal|toBase64|fromBase64|setFromBase64|toHex|fromHex|Error\.isError|Promise\.try|RegExp\.escape|getOrInsert(Computed)?|Iterator\.(concat|zip)|Math\.sumPrecise|Float16Array|Atomics\.pause|URLPattern|node:sqlite)\b/

const junkRooms = /(^|\/)(utils?|helpers?|common|misc|shared|lib|managers?)(\.ts|\/)/

interface Import {
  readonly from: string
  readonly target: string
  readonly typeOnly: boolean
}

const files = Object.keys(wings).flatMap((wing) => sourceFiles(join(root, wing)))
const imports = files.flatMap(importsOf)
const local = imports.filter(({ target }) => target.startsWith('/'))

describe('the house', () => {
  test('has files in every wing that it names', () => {
    expect(new Set(files.map((file) => relative(root, file).split('/')[0]))).toEqual(
      new Set(['src', 'server', 'agent', 'cli']),
    )
  })

  test('imports only existing wings that lie below', () => {
    const wrong = local.filter(({ from, target }) => !(wings[wingOf(from)] ?? []).includes(wingOf(target)))
    expect(wrong.map(printImport)).toEqual([])
  })

  test('imports its own room or a lower floor (types may come from anywhere below the wing)', () => {
    const wrong = local.filter(({ from, target, typeOnly }) => {
      const wing = wingOf(from)
      if (wing !== wingOf(target) || floors[wing] === undefined || typeOnly) return false
      const [a, b] = [roomOf(from), roomOf(target)]
      return a !== b && floorOf(wing, a) >= floorOf(wing, b)
    })
    expect(wrong.map(printImport)).toEqual([])
  })

  test('knows every room', () => {
    const unknown = files.filter(
      (file) => floors[wingOf(file)] !== undefined && floorOf(wingOf(file), roomOf(file)) === -1,
    )
    expect(unknown.map((file) => relative(root, file))).toEqual([])
  })

  test('has no files that import each other, not even for a type', () => {
    const mend =
      'Put what the files of a circle share into the one that imports none of them, or into a file of its own'
    expect(circlesOf(local), mend).toEqual([])
  })

  test('has no rooms for the homeless', () => {
    expect(files.map((file) => relative(root, file)).filter((file) => junkRooms.test(file))).toEqual([])
  })

  test('lets one room own each library', () => {
    const wrong = imports.filter(({ from, target }) => {
      const owner = owners.find(([library]) => library.test(target))
      return owner !== undefined && !owner[1].some((room) => relative(root, from).startsWith(`${room}/`))
    })
    expect(wrong.map(printImport)).toEqual([])
  })

  // `{ z }` brings all languages of zod into the bundle, and an import of `node:http` brings `fetch` and `WebSocket` into memory.
  test('loads nothing into daemons that they do not use', () => {
    const zod = files.filter((file) => /^import \{[^}]*\} from 'zod'/m.test(readFileSync(file, 'utf8')))
    const http = imports.filter(
      ({ from, target, typeOnly }) =>
        !typeOnly && target === 'node:http' && /^(server|agent)$|^src$/.test(wingOf(from)),
    )
    expect([...zod.map((file) => relative(root, file)), ...http.map(printImport)]).toEqual([])
  })
})

describe('the SDK entry', () => {
  const sdk = [
    ...new Set(
      ['src/index.ts', 'src/federation/index.ts', 'src/wit.ts'].flatMap((entry) => reachedFrom(join(root, entry))),
    ),
  ]
  const code = (file: string): string => readFileSync(file, 'utf8').replace(/\/\*[^]*?\*\/|\/\/.*$/gm, '')

  test('reaches no room that only processes need', () => {
    const rooms = ['config', 'policy-file', 'process', 'log', 'metrics', 'entry', 'peer', 'testing']
    expect(sdk.filter((file) => rooms.includes(roomOf(file))).map((file) => relative(root, file))).toEqual([])
    expect(sdk.map((file) => roomOf(file))).toContain('workload')
  })

  test('loads nothing of the processes, and no libraries', () => {
    const wrong = imports.filter(
      ({ from, target, typeOnly }) =>
        !typeOnly &&
        sdk.includes(from) &&
        (target.startsWith('/')
          ? wingOf(target) !== 'src'
          : !target.startsWith('node:') && !sdkLibraries.includes(target)),
    )
    expect(wrong.map(printImport)).toEqual([])
  })

  // Whoever wants no more than an X509-SVID loads nothing of them; a client of the Workload API can read WIT-SVIDs.
  test('`sallyport` loads none of the rooms that have entries of their own', () => {
    const reached = reachedFrom(join(root, 'src/index.ts')).map((file) => relative(root, file))
    const others = ['broker', 'federation', 'grpc', 'testing', 'wit', 'wit.ts'].map((room) => `src/${room}`)
    expect(reached.filter((file) => others.some((room) => file === room || file.startsWith(`${room}/`)))).toEqual([
      'src/wit/wit-svid.ts',
    ])
  })

  test('runs on Node 22', () => {
    const wrong = sdk.flatMap((file) => {
      const [found] = newerThanNode22.exec(code(file)) ?? []
      return found === undefined ? [] : [`${relative(root, file)}: ${found}`]
    })
    expect(wrong).toEqual([])
  })

  test('WE-09: reads the environment in one place', () => {
    const readers = sdk.filter((file) => /\bprocess\.env\b|\bfrom 'node:process'/.test(code(file)))
    expect(readers.map((file) => relative(root, file))).toEqual(['src/workload/connect-workload-api.ts'])
  })
})

/** The files that are loaded with this one. */
function reachedFrom(file: string): readonly string[] {
  const reached = new Set([file])
  for (const each of reached) {
    for (const { from, target, typeOnly } of local) if (from === each && !typeOnly) reached.add(target)
  }
  return [...reached]
}

function sourceFiles(folder: string): string[] {
  // A wing that is not built yet.
  if (!existsSync(folder)) return []
  const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return entries.filter((name) => name.endsWith('.ts')).map((name) => join(folder, name))
}

function importsOf(file: string): Import[] {
  const text = readFileSync(file, 'utf8')
  const found = text.matchAll(
    /^\s*(?:import|export)\s+(type\s)?[^'"`;]*?from\s+'([^']+)'|\bimport\('([^']+)'\)|^import\s+'([^']+)'/gm,
  )
  return [...found].map((match) => {
    const name = match[2] ?? match[3] ?? match[4] ?? ''
    return {
      from: file,
      target: name.startsWith('.') ? resolve(dirname(file), name) : name,
      typeOnly: match[1] !== undefined,
    }
  })
}

const wingOf = (file: string): string => relative(root, file).split('/')[0] ?? ''
const roomOf = (file: string): string => relative(root, file).split('/')[1] ?? ''
const floorOf = (wing: string, room: string): number => floors[wing]?.findIndex((floor) => floor.includes(room)) ?? -1
const printImport = ({ from, target }: Import): string =>
  `${relative(root, from)} → ${target.startsWith('/') ? relative(root, target) : target}`

/** Such as `a.ts → b.ts → a.ts`; of files that are in several circles not necessarily every one. */
function circlesOf(edges: readonly Import[]): string[] {
  const next = Map.groupBy(edges, ({ from }) => from)
  const circles: string[] = []
  const done = new Set<string>()
  const walk = (file: string, path: readonly string[]): void => {
    if (path.includes(file)) {
      const circle = [...path.slice(path.indexOf(file)), file]
      circles.push(circle.map((one) => relative(root, one)).join(' → '))
    } else if (!done.has(file)) {
      for (const { target } of next.get(file) ?? []) walk(target, [...path, file])
      done.add(file)
    }
  }
  for (const file of next.keys()) walk(file, [])
  return circles
}
