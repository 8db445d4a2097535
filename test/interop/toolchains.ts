import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { run, type Finished } from '../e2e/processes.ts'

/** A program written with somebody else's library. */
export interface ForeignProgram {
  readonly command: string
  readonly args: readonly string[]
}

const here = import.meta.dirname

const BUILD_TIMEOUT_MS = 400_000

async function built(command: string, args: readonly string[], cwd: string): Promise<void> {
  const { code, stdout, stderr } = await run(command, args, { cwd, env: process.env, timeoutMs: BUILD_TIMEOUT_MS })
  if (code !== 0) throw new Error(`${command} ${args.join(' ')} failed:\n${stdout}\n${stderr}`)
}

/** @param folder which of the programs in Go */
export async function goProgram(folder: 'go' | 'go-wit' = 'go'): Promise<ForeignProgram> {
  const target = join(mkdtempSync(join(tmpdir(), 'sallyport-go-')), 'interop')
  await built('go', ['build', '-o', target, '.'], join(here, folder))
  return { command: target, args: [] }
}

export async function pythonProgram(): Promise<ForeignProgram> {
  const folder = join(here, 'python')
  const python = join(folder, '.venv/bin/python')
  if (!existsSync(python)) await built('python3', ['-m', 'venv', '.venv'], folder)
  await built(
    python,
    ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', 'requirements.txt'],
    folder,
  )
  return { command: python, args: [join(folder, 'interop.py')] }
}

export async function javaProgram(): Promise<ForeignProgram> {
  const folder = join(here, 'java')
  await built('mvn', ['--quiet', '--batch-mode', 'package'], folder)
  return {
    command: 'java',
    args: ['-cp', `${join(folder, 'target/interop-1.jar')}:${join(folder, 'target/dependency/*')}`, 'interop.Interop'],
  }
}

export async function rustProgram(): Promise<ForeignProgram> {
  const folder = join(here, 'rust')
  await built('cargo', ['build', '--quiet', '--locked'], folder)
  return { command: join(folder, 'target/debug/interop'), args: [] }
}

export async function runForeign(
  { command, args }: ForeignProgram,
  more: readonly string[],
  timeoutMs = 120_000,
): Promise<Finished> {
  return run(command, [...args, ...more], { timeoutMs })
}

/** The facts that a program printed, one JSON object a line. */
export function facts({ code, stdout, stderr }: Finished): Record<string, unknown>[] {
  if (code !== 0) throw new Error(`the program ended with ${code}:\n${stdout}\n${stderr}`)
  return stdout
    .trim()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}
