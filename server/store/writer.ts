import { parentPort, workerData } from 'node:worker_threads'
import { openForWriting, releasePages } from './connection.ts'
import { DecisionPruner } from './decision-pruner.ts'
import { GroupWriter } from './group-writer.ts'
import { pruneJournals } from './journal-pruner.ts'
import { reasonOf, storeCodeOf } from './sqlite-error.ts'
import type { WriterReply, WriterRequest, WriterStart } from './writer-protocol.ts'

/*
 * The writer thread: the only connection that writes. It takes one request at a time and decides nothing; the queue and
 * what happens after a crash are in `writer-thread.ts`, on the other side of the port.
 */
type PruneRequest = Extract<WriterRequest, { kind: 'prune' }>

const { path, maxBytes } = workerData as WriterStart
const reply = (message: WriterReply): void => parentPort?.postMessage(message)

try {
  const db = openForWriting(path, maxBytes)
  const groups = new GroupWriter(db)
  const decisionPruner = new DecisionPruner(db)
  const prune = ({ logBeforeMs, auditBeforeMs, decisions }: PruneRequest): boolean => {
    const more = pruneJournals(db, logBeforeMs, auditBeforeMs)
    return (decisions !== undefined && decisionPruner.prune(decisions)) || more
  }
  const answer = (request: WriterRequest): WriterReply | undefined => {
    switch (request.kind) {
      case 'write':
        return groups.write(request)
      case 'prune':
        return { kind: 'pruned', more: prune(request) }
      case 'releaseMemory':
        releasePages(db)
        return { kind: 'released' }
      case 'close':
        parentPort?.close()
        db.close()
        return undefined
    }
  }
  parentPort?.on('message', (request: WriterRequest) => {
    try {
      const answered = answer(request)
      if (answered !== undefined) reply(answered)
    } catch (error) {
      // A commit whose write or flush failed may still be found in the log at the next start; a full disk was rolled back.
      const code = storeCodeOf(error)
      reply({ kind: 'failed', code, message: reasonOf(error), unsure: code === 'STORE_IO_FAILED' })
    }
  })
  const state = db.prepare('SELECT last_group AS lastGroup, last_outcomes AS lastOutcomes FROM state').get()
  reply({ kind: 'ready', ...(state as { lastGroup: number; lastOutcomes: string }) })
} catch (error) {
  reply({ kind: 'failed', code: storeCodeOf(error), message: reasonOf(error), unsure: true })
  parentPort?.close()
}
