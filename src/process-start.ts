import { readFileSync } from 'node:fs'

/**
 * When a process started, in clock ticks since boot: with the pid, its name for as long as the system runs. Undefined when it is gone
 * or the system hides it from us.
 */
export function startTimeOf(pid: number): string | undefined {
  let text: string
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch {
    // Processes come and go, and hide: an absent fact is a value here, and those who need it refuse.
    return undefined
  }
  // The command in brackets may hold spaces and brackets; the fields after the last one are numbers. Field 22 is the start.
  return text.slice(text.lastIndexOf(')') + 2).split(' ')[19]
}
