import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { buildCommandLine } from '../../build/command-line.ts'
import { buildSdk } from '../../build/sdk.ts'
import { cleanEnvironment, root, run } from '../e2e/processes.ts'

/** The package as `npm pack` makes it, built in a folder of its own: other tests run from the checkout meanwhile. */
export class PackedPackage implements Disposable {
  readonly tarball: string
  /** What is in it. */
  readonly files: readonly string[]
  readonly #folder: string

  private constructor(folder: string, tarball: string, files: readonly string[]) {
    this.#folder = folder
    this.tarball = tarball
    this.files = files
  }

  static async make(): Promise<PackedPackage> {
    const folder = mkdtempSync(join(tmpdir(), 'sallyport-pack-'))
    for (const name of ['bin', 'package.json', 'LICENSE', 'README.md']) {
      cpSync(join(root, name), join(folder, name), { recursive: true })
    }
    await Promise.all([buildCommandLine(join(folder, 'dist')), buildSdk(join(folder, 'dist/sdk'))])
    const [packed] = JSON.parse(await npm(['pack', '--ignore-scripts', '--json'], folder)) as [
      { readonly filename: string; readonly files: readonly { readonly path: string }[] },
    ]
    return new PackedPackage(
      folder,
      join(folder, packed.filename),
      packed.files.map(({ path }) => path),
    )
  }

  [Symbol.dispose](): void {
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** An empty project in which the package was installed, and nothing else. */
export class Project implements Disposable {
  readonly folder: string

  private constructor(folder: string) {
    this.folder = folder
  }

  static async with({ tarball }: PackedPackage): Promise<Project> {
    const project = new Project(mkdtempSync(join(tmpdir(), 'sallyport-project-')))
    project.write('package.json', '{ "private": true }')
    // Offline: nothing may be needed from a registry. koffi, which only the agent and the server need, is left out.
    const flags = ['--offline', '--omit=optional', '--no-audit', '--no-fund', '--no-package-lock']
    await npm(['install', ...flags, tarball], project.folder)
    return project
  }

  path(name: string): string {
    return join(this.folder, name)
  }

  write(name: string, text: string): void {
    mkdirSync(dirname(this.path(name)), { recursive: true })
    writeFileSync(this.path(name), text)
  }

  /** Adds a package as the checkout has it. */
  link(name: string): void {
    mkdirSync(dirname(this.path(`node_modules/${name}`)), { recursive: true })
    symlinkSync(join(root, 'node_modules', name), this.path(`node_modules/${name}`))
  }

  /** Runs a program in it; gives what it prints. */
  async run(command: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<string> {
    const { code, stdout, stderr } = await run(command, args, { cwd: this.folder, env: cleanEnvironment(env) })
    if (code !== 0) throw new Error(`${command} ${args.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`)
    return stdout
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

async function npm(args: readonly string[], cwd: string): Promise<string> {
  const { code, stdout, stderr } = await run('npm', args, { cwd })
  if (code !== 0) throw new Error(`npm ${args.join(' ')} ended with ${code}:\n${stdout}\n${stderr}`)
  return stdout
}
