/** A range of addresses. */
export interface Mapping {
  readonly start: bigint
  readonly sizeBytes: number
}

/**
 * The mappings of `/proc/self/smaps` that are files read as they are: programs, libraries, their constants. The kernel fetches such a
 * page again from the file when it is touched. What was ever written (relocated tables are read-only today) has anonymous pages, which
 * exist nowhere else.
 */
export function codeMappings(smaps: string): readonly Mapping[] {
  const mappings: Mapping[] = []
  let candidate: Mapping | undefined
  for (const line of smaps.split('\n')) {
    const header = /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ (\d+)/.exec(line)
    if (header !== null) candidate = mappingOf(header)
    else if (candidate !== undefined && /^Anonymous: +0 kB/.test(line)) mappings.push(candidate)
  }
  return mappings
}

function mappingOf([, from = '', to = '', permissions = '', inode = '']: RegExpExecArray): Mapping | undefined {
  if (inode === '0' || !/^r-[x-]p$/.test(permissions)) return undefined
  const start = BigInt(`0x${from}`)
  return { start, sizeBytes: Number(BigInt(`0x${to}`) - start) }
}
