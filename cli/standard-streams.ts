import { SallyportError } from '../src/errors.ts'
import { EXIT } from './context.ts'
import { printError } from './print.ts'

/**
 * Says what happens when standard output or standard error cannot be written to; Node would end the process with a stack.
 *
 * A result that nobody reads any more, as behind `head`, ends the command quietly; one that has no room fails it. A log without
 * room or without a reader ends nothing: identities of others depend on this process.
 */
export function guardStandardStreams(): void {
  process.stderr.on('error', () => {})
  let hasEnded = false
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (hasEnded) return
    hasEnded = true
    process.exitCode = error.code === 'EPIPE' ? EXIT.ok : printError(unwritten(error), 'table')
    // What runs until a signal has more to end than itself.
    if (process.listenerCount('SIGTERM') > 0) process.kill(process.pid, 'SIGTERM')
    else process.exit()
  })
}

const unwritten = (error: NodeJS.ErrnoException): SallyportError =>
  new SallyportError('FILE_UNUSABLE', `Cannot write the result to standard output: ${error.code ?? error.message}`, {
    cause: error,
    hint: 'Check the disk and the file that it goes to.',
  })
