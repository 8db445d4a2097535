import * as z from 'zod'
import { fieldTypes } from '../src/config/field-types.ts'
import { parseConfig } from '../src/config/read-config.ts'
import type { RegisteredEntry } from '../src/policy/analysis/compromise.ts'

/** As many entries as a server holds. */
const FILE_MAX_BYTES = 64 << 20
const ENTRIES_MAX = 200_000

/** What analyses read of an entry; whatever else is written about it is left aside. */
const registeredEntry = z.object({
  spiffeId: fieldTypes.spiffeId,
  parent: z.string().max(2048).optional(),
  selectors: z.array(z.string().max(4096)).max(1000).default([]),
  labels: z.record(z.string(), z.string()).default({}),
  x509Ttl: fieldTypes.duration.optional(),
  createdAt: z.iso.datetime({ offset: true }).optional(),
})

const registeredFile = z.union([
  z.array(registeredEntry).max(ENTRIES_MAX),
  z.object({ entries: z.array(registeredEntry).max(ENTRIES_MAX) }).transform(({ entries }) => entries),
])

/**
 * Reads registered identities for analyses: the file of `entry apply`, or what `entry list --output json` prints.
 *
 * @throws {@link SallyportError} `CONFIG_INVALID`
 */
export function readRegisteredFile(text: string, name: string): RegisteredEntry[] {
  const hint = 'It is a file of `sallyport entry apply`, or the output of `sallyport entry list --output json`.'
  return parseConfig(text, name, registeredFile, { hint, maxBytes: FILE_MAX_BYTES }).map(
    ({ spiffeId, parent, selectors, labels, x509Ttl, createdAt }) => ({
      spiffeId: spiffeId.toString(),
      parent,
      selectors,
      labels,
      x509TtlMs: x509Ttl === undefined ? undefined : x509Ttl * 1000,
      createdMs: createdAt === undefined ? undefined : Date.parse(createdAt),
    }),
  )
}
