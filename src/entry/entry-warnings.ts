import type { RegistrationEntry } from './registration-entry.ts'

/** Programs that run whatever script they are given, so that their path or hash says nothing about what runs. */
const INTERPRETER =
  /^(?:ba|da|z|k|a|fi|c|tc)?sh$|^(?:busybox|node|nodejs|deno|bun|java|php|perl|ruby|lua|tclsh|Rscript|env|pwsh|dotnet|python|pypy)[0-9.]*$/

/** What SPIRE's agents and ours find out about a process; another kind holds for none. */
const UNIX_KIND = /^(?:uid|user|gid|group|supplementary_gid|supplementary_group|path|sha256):/

/** Kinds whose values are numbers, with those that take names. */
const NAMED_KIND: Readonly<Record<string, string>> = {
  uid: 'user',
  gid: 'group',
  supplementary_gid: 'supplementary_group',
}

/**
 * What whoever registers an entry should know about it. Warnings do not refuse anything.
 *
 * A process can connect, fork and run another program; until the agent has seen its executable, path and hash are those of
 * the other program. Selectors that stay true across that (uid, gid, cgroup) close the gap.
 */
export function entryWarnings(entry: RegistrationEntry): string[] {
  const warnings: string[] = []
  const unix = entry.selectors.filter(({ type }) => type === 'unix').map(({ value }) => value)
  if (unix.length === entry.selectors.length && unix.every((value) => /^(?:path|sha256):/.test(value))) {
    warnings.push(
      'The only selectors are unix:path or unix:sha256: any local user who can run that program obtains the identity; add unix:uid.',
    )
  }
  for (const { type, value } of entry.selectors) {
    if (UNIX_KIND.test(`${type}:`))
      warnings.push(
        `No process has a selector ${type}:${value.slice(0, 80)}: its type is missing, write unix:${type}:….`,
      )
  }
  for (const value of unix) {
    const [, number = '', given = ''] = /^(uid|gid|supplementary_gid):(.*)$/s.exec(value) ?? []
    if (number !== '' && !/^\d+$/.test(given))
      warnings.push(
        `No process has a selector unix:${value.slice(0, 80)}: it takes a number, unix:${NAMED_KIND[number]} a name.`,
      )
    if (!UNIX_KIND.test(value)) {
      const kind = value.split(':', 1)[0]?.slice(0, 40)
      warnings.push(
        `No process has a selector unix:${kind}: use uid, user, gid, group, supplementary_gid, path or sha256.`,
      )
    }
    const program = /^path:.*?([^/]+)$/.exec(value)?.[1]
    if (program !== undefined && INTERPRETER.test(program)) {
      warnings.push(`unix:${value} is an interpreter: every script that it runs obtains the identity.`)
    }
  }
  return warnings
}
