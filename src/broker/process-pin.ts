import { startTimeOf } from '../process-start.ts'

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
