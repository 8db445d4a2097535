import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'

const root = resolve(import.meta.dirname, '..')

/**
 * The product as it is shipped, bundled and without sources, in a folder of its own; what this process and those that it
 * starts measure from then on. `BENCH_SOURCES=1` measures the sources instead, for profiles with readable names.
 */
export function makePackage(): Disposable {
  if (process.env['BENCH_PACKAGE'] !== undefined || process.env['BENCH_SOURCES'] !== undefined) {
    return { [Symbol.dispose]: () => undefined }
  }
  const folder = mkdtempSync(join(tmpdir(), 'sallyport-bench-package-'))
  const built = spawnSync(process.execPath, ['build/build.ts'], { cwd: root, encoding: 'utf8' })
  if (built.status !== 0) throw new Error(`The build failed:\n${built.stderr}`)
  for (const name of ['bin', 'dist', 'package.json']) cpSync(join(root, name), join(folder, name), { recursive: true })
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  process.env['BENCH_PACKAGE'] = folder
  return {
    [Symbol.dispose]: () => {
      delete process.env['BENCH_PACKAGE']
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** A file of what is measured. */
export const packageFile = (name: string): string => join(process.env['BENCH_PACKAGE'] ?? root, name)

export const launcher = (): string => packageFile('bin/sallyport.js')
