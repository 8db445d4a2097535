import { join } from 'node:path'
import * as z from 'zod'
import type { Clock } from '../../src/clock.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { Log } from '../../src/log/log.ts'
import { Wake } from '../entries/wake.ts'
import type { Disk } from '../node/disk.ts'
import type { HeldX509Svid } from './held-x509-svid.ts'
import type { X509SvidCache } from './x509-svid-cache.ts'

export interface WarmRestartDeps {
  readonly x509Svids: X509SvidCache
  readonly disk: Disk
  readonly clock: Clock
  readonly log: Log
  readonly folder: string
}

/** Changes that come together are written together. */
const SETTLE_MS = 250

const base64 = z.base64().transform((text) => Buffer.from(text, 'base64'))
const instant = z.number().transform((ms) => new Date(ms))
const savedSvids = z.array(
  z.object({
    entryId: z.string(),
    entryRevision: z.number(),
    entryCreatedAt: instant,
    spiffeId: z.string().transform((text) => SpiffeId.parse(text)),
    chain: base64,
    privateKey: base64,
    notBefore: instant,
    notAfter: instant,
    renewAt: instant,
    serialNumber: z.string().transform((text) => BigInt(text)),
    authorityKeyId: z
      .string()
      .optional()
      .transform((text) => text),
  }),
)

/**
 * Keeps workload keys and SVIDs over a restart of the agent, in a folder that lives in memory only and so ends with the machine.
 * On any other kind of file system nothing is written: private keys of workloads never reach durable storage (SE-21).
 */
export class WarmRestart {
  readonly #deps: WarmRestartDeps
  readonly #path: string
  #isVolatile = false

  constructor(deps: WarmRestartDeps) {
    this.#deps = deps
    this.#path = join(deps.folder, 'svids.json')
  }

  /** Gives back what an earlier process kept, as far as it is still good. */
  async restore(): Promise<void> {
    const { disk, folder, log, x509Svids } = this.#deps
    try {
      await disk.makeFolder(folder)
      this.#isVolatile = await disk.isVolatile(folder)
      if (!this.#isVolatile) {
        log.info({ folder }, 'Workload keys are not kept over restarts: the runtime folder is not in memory')
        return
      }
      const bytes = await disk.read(this.#path)
      if (bytes !== undefined) x509Svids.restore(savedSvids.parse(JSON.parse(bytes.toString('utf8'))).map(held))
    } catch {
      // Without the cause: a parser quotes what it read, and that is keys. New SVIDs are signed instead.
      log.warn({ folder }, 'The SVIDs kept over the restart cannot be used')
    }
  }

  /** Writes what is held after each change, until the signal aborts. */
  async run(signal: AbortSignal): Promise<never> {
    const { x509Svids, clock, log } = this.#deps
    const wake = new Wake()
    using _listening = x509Svids.onChanged(() => wake.ring())
    for (;;) {
      await wake.wait(signal)
      await clock.sleep(SETTLE_MS, signal)
      try {
        await this.flush()
      } catch (error) {
        log.warn({ err: error }, 'SVIDs could not be kept for a restart')
      }
    }
  }

  async flush(): Promise<void> {
    if (!this.#isVolatile) return
    await this.#deps.disk.write(this.#path, Buffer.from(JSON.stringify([...this.#deps.x509Svids.held()].map(printed))))
  }
}

const held = ({ authorityKeyId, ...saved }: z.output<typeof savedSvids>[number]): HeldX509Svid => ({
  ...saved,
  authorityKeyId,
})

const printed = (svid: HeldX509Svid): object => ({
  ...svid,
  entryCreatedAt: svid.entryCreatedAt.getTime(),
  spiffeId: svid.spiffeId.toString(),
  chain: svid.chain.toString('base64'),
  privateKey: svid.privateKey.toString('base64'),
  notBefore: svid.notBefore.getTime(),
  notAfter: svid.notAfter.getTime(),
  renewAt: svid.renewAt.getTime(),
  serialNumber: svid.serialNumber.toString(),
})
