import { cpSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { cleanEnvironment, root, run } from '../e2e/processes.ts'
import { PackedPackage, Project } from './packed.ts'
import { smokeLines } from './smoke-lines.ts'

// The package as people install it: `npm pack`, an empty project, nothing from a registry.

const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { readonly version: string }

let packed: PackedPackage
let project: Project

beforeAll(async () => {
  packed = await PackedPackage.make()
  project = await Project.with(packed)
})

afterAll(() => {
  // Undefined when the set-up has failed.
  for (const made of [project, packed] as readonly (Disposable | undefined)[]) made?.[Symbol.dispose]()
})

describe('the package', () => {
  test('brings no other package with it', () => {
    expect(readdirSync(project.path('node_modules')).filter((name) => !name.startsWith('.'))).toEqual(['sallyport'])
  })

  test('holds what runs, its declarations and licences, and no sources', () => {
    const folders = new Set(packed.files.map((file) => file.split('/')[0]))
    expect(folders).toEqual(new Set(['LICENSE', 'README.md', 'bin', 'dist', 'package.json']))
    expect(packed.files.filter((file) => file.endsWith('.ts') && !file.endsWith('.d.ts'))).toEqual([])
    const notices = readFileSync(project.path('node_modules/sallyport/dist/NOTICES.txt'), 'utf8')
    for (const name of ['commander', 'pino', 'yaml', 'zod', '@peculiar/x509']) expect(notices).toContain(`\n${name} `)
    expect(notices).toMatch(/Permission is hereby granted/)
  })

  test('is used from ES modules', async () => {
    cpSync(join(root, 'test/package/smoke.mjs'), project.path('smoke.mjs'))
    expect((await project.run(process.execPath, ['smoke.mjs'])).trim().split('\n')).toEqual(smokeLines)
  })

  test('is used by require, and is the same for both', async () => {
    project.write(
      'required.cjs',
      `const { SallyportError, SpiffeId } = require('sallyport')
       const { TestAuthority } = require('sallyport/testing')
       void import('sallyport').then((imported) => {
         try { imported.SpiffeId.parse('no id') } catch (error) {
           console.log(error instanceof SallyportError, imported.SpiffeId === SpiffeId, typeof TestAuthority.create)
         }
       })`,
    )
    expect(await project.run(process.execPath, ['required.cjs'])).toBe('true true function\n')
  })

  test('has a client of the Broker API, which shares its errors with the rest', async () => {
    project.write(
      'broker.mjs',
      `import { SallyportError } from 'sallyport'
       import { BROKER_API_REVISION, BrokerClient } from 'sallyport/broker'
       const source = { current() {}, onChange() {} }
       const failure = await BrokerClient.open({ address: 'nowhere', source, server: {} }).catch((error) => error)
       console.log(failure instanceof SallyportError, failure.code, BROKER_API_REVISION.length)`,
    )
    expect(await project.run(process.execPath, ['broker.mjs'])).toBe('true ENDPOINT_INVALID 40\n')
  })

  test('has gRPC credentials for whoever has grpc-js', { timeout: 60_000 }, async () => {
    project.write(
      'grpc.mjs',
      `import * as grpc from 'sallyport/grpc'\nconsole.log(Object.keys(grpc).toSorted().join())`,
    )
    await expect(project.run(process.execPath, ['grpc.mjs'])).rejects.toThrow(`Cannot find package '@grpc/grpc-js'`)
    using withGrpc = await Project.with(packed)
    withGrpc.link('@grpc/grpc-js')
    cpSync(project.path('grpc.mjs'), withGrpc.path('grpc.mjs'))
    expect(await withGrpc.run(process.execPath, ['grpc.mjs'])).toBe('channelCredentials,serverCredentials,withJwt\n')
  })
})

describe('its declarations', () => {
  const compiler = join(root, 'node_modules/.bin/tsc')
  const program = `
    import { memberOf, peerOf, tlsServer, X509Source, type SpiffeId, type X509Identity } from 'sallyport'
    import { BundleEndpoints, type RelationshipHealth, withFederation } from 'sallyport/federation'
    import { BrokerClient, type BrokeredWorkload } from 'sallyport/broker'
    import { serverCredentials } from 'sallyport/grpc'
    import { FakeWorkloadApi, TestAuthority } from 'sallyport/testing'
    import { requireWit, witFetch, type WitPeer, witPeerOf, WitSource } from 'sallyport/wit'
    import { createServer } from 'node:https'
    const authority = await TestAuthority.create()
    await using agent = await FakeWorkloadApi.open({ svids: [await authority.issue('/a')], authorities: [authority] })
    await using source = await X509Source.open({ endpoint: agent.endpoint })
    const identity: X509Identity = source.current()
    const id: SpiffeId = identity.svid.spiffeId
    createServer(tlsServer(source, { allow: memberOf('example.org') }), (request) => console.log(peerOf(request).id, id))
    const broker = await BrokerClient.open({ address: 'unix:/run/b.sock', source, server: memberOf('example.org') })
    const workload: BrokeredWorkload = broker.workload({ pid: 4711 })
    createServer(tlsServer(await workload.x509Source(), { allow: memberOf('example.org') }))
    const relationship = { trustDomain: 'b.test', url: 'https://b.test', profile: 'https_web' } as const
    await using endpoints = await BundleEndpoints.open({ ownTrustDomain: 'example.org', relationships: [relationship] })
    const health: RelationshipHealth | undefined = endpoints.health[0]
    createServer(tlsServer(withFederation(source, endpoints), { allow: memberOf('b.test') }))
    await using wit = await WitSource.open({ endpoint: agent.endpoint })
    const check = requireWit(wit, { origins: ['https://a.test'], allow: memberOf('example.org'), signWith: wit })
    createServer((request, response) => void check(request, response, () => response.end()))
    const peer: WitPeer = witPeerOf(await witFetch(wit)('https://a.test'))
    console.log(typeof serverCredentials, peer.spiffeId === id, health?.status)
    // @ts-expect-error -- an id is not a text
    const text: string = id
    console.log(text)
  `

  test.for([
    { module: 'NodeNext', moduleResolution: 'NodeNext' },
    { module: 'ESNext', moduleResolution: 'Bundler' },
  ])('type-check in a strict project of their own: $moduleResolution', { timeout: 60_000 }, async (resolution) => {
    using typed = await Project.with(packed)
    // What every project in TypeScript for Node has; the types of grpc-js bring those of its own.
    for (const name of ['@types/node', 'undici-types', '@grpc/grpc-js']) typed.link(name)
    const options = {
      target: 'ES2024',
      lib: ['ES2024', 'ESNext.Disposable'],
      strict: true,
      skipLibCheck: false,
      noEmit: true,
    }
    // Bundlers know no files of CommonJS.
    const isNode = resolution.module === 'NodeNext'
    const files = {
      compilerOptions: { ...options, ...resolution, types: ['node'] },
      files: isNode ? ['main.ts', 'required.cts'] : ['main.ts'],
    }
    typed.write('package.json', '{ "private": true, "type": "module" }')
    typed.write('tsconfig.json', JSON.stringify(files))
    typed.write('main.ts', program)
    if (isNode)
      typed.write(
        'required.cts',
        `import sdk = require('sallyport')\nconst id: sdk.SpiffeId = sdk.SpiffeId.parse('spiffe://a')\nconsole.log(id)`,
      )
    expect(await typed.run(compiler, ['-p', '.'])).toBe('')
  })
})

describe('its command line', () => {
  const bin = () => project.path('node_modules/.bin/sallyport')

  test('runs from the package alone', async () => {
    expect(await project.run('npx', ['--offline', 'sallyport', '--version'])).toBe(`${version}\n`)
    const help = await project.run(bin(), ['entry', 'create', '--help'])
    expect(help).toContain('--spiffe-id')
  })

  test('says what is missing where koffi was left out', async () => {
    await project.run(bin(), ['server', 'init', '--trust-domain', 'example.org', '--dir', 'server'])
    const started = project.run(bin(), ['server', 'run', '--config', 'server/server.yaml'])
    await expect(started).rejects.toThrow('error KOFFI_MISSING')
  })

  test('runs a whole system when koffi is there', async () => {
    using complete = await Project.with(packed)
    complete.link('koffi')
    const output = await complete.run(complete.path('node_modules/.bin/sallyport'), ['dev', '--once'])
    expect(output).toContain('spiffe://')
  }, 60_000)

  test('says which Node it needs', async () => {
    const pretend = `Object.defineProperty(process.versions, 'node', { value: '22.12.0' })
      await import(${JSON.stringify(`file://${project.path('node_modules/sallyport/bin/sallyport.js')}`)})`
    project.write('old.mjs', pretend)
    const { code, stderr } = await run(process.execPath, ['old.mjs'], { cwd: project.folder, env: cleanEnvironment() })
    expect({ code, stderr }).toEqual({ code: 1, stderr: expect.stringContaining('needs Node 26') as string })
  })
})
