import { readFileSync } from 'node:fs'

/**
 * Says whether a number still belongs to the process that has it now. The agent pins the process of a call, but a broker asks again:
 * after a lost connection the same number may be another process, whose identity must not be taken for the first one's.
 *
 * Where the system does not tell (no `/proc`, or a pid namespace in which the number is unknown) the answer is always yes.
 */
export function pinProcess(pid: number, startOf = startTimeOf): () => boolean {
  const start = startOf(pid)
  return () => start === undefined || startOf(pid) === start
}

/** When it started, in clock ticks since boot: field 22 of its `stat`, counted behind the command, which may hold anything. */
function startTimeOf(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return text.slice(text.lastIndexOf(')') + 2).split(' ')[19]
  } catch {
    return undefined
  }
}
