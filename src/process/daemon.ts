import { systemClock } from '../clock.ts'
import { checkEnvironment } from './environment.ts'
import { openLibc } from './libc.ts'
import { trimMemoryWhenQuiet } from './memory-trim.ts'
import { runUntilSignal } from './run-until-signal.ts'

/** What a daemon tells the service manager. */
export interface Daemon {
  /** Says that it serves: systemd starts what depends on it. */
  ready(): void
  /** Aborts at SIGTERM or SIGINT. */
  readonly signal: AbortSignal
  /** Calls this when the daemon has been quiet for a while, before it gives memory back. */
  whenQuiet(release: () => Promise<void>): void
}

/**
 * Runs a daemon until SIGTERM: refuses a hostile environment, forbids dumps of its memory (SE-30), tells systemd when it is ready
 * and when it stops, gives memory back when it is quiet.
 */
export async function runDaemon(work: (daemon: Daemon) => Promise<void>): Promise<void> {
  checkEnvironment(process.env)
  const libc = openLibc()
  libc?.forbidDumps()
  const releases: (() => Promise<void>)[] = []
  using _trim = trimMemoryWhenQuiet(systemClock, libc, async () => {
    await Promise.allSettled(releases.map((release) => release()))
  })
  const socket = process.env['NOTIFY_SOCKET']
  const notify = (state: string): void => {
    if (socket !== undefined) libc?.sendDatagram(socket, state)
  }
  await runUntilSignal(async (signal) => {
    signal.addEventListener('abort', () => notify('STOPPING=1'), { once: true })
    await work({ ready: () => notify('READY=1'), signal, whenQuiet: (release) => releases.push(release) })
  })
}
