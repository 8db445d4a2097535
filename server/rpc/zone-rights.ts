import { isPrivileged } from '../../src/entry/is-privileged.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { SallyportError } from '../../src/errors.ts'
import type { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { Call } from '../../src/wire/call.ts'
import type { Caller } from '../access/caller.ts'
import type { Directory } from '../entries/directory.ts'
import { registeredIdentityOf, zonesOfRow } from '../policy/members.ts'
import type { PolicyBook } from '../policy/policy-book.ts'

export interface ZoneRightsDeps {
  /** Zones by the SPIFFE ID of the administrator who is bound to them. */
  readonly zonesByAdmin: ReadonlyMap<string, ReadonlySet<string>>
  /** SPIFFE IDs that have rights on this server by its configuration. */
  readonly privilegedIds: ReadonlySet<string>
  readonly callerOf: (call: Call) => Caller
  readonly directory: Directory
  readonly book: Pick<PolicyBook, 'current'>
}

/**
 * What an administrator who is bound to zones may see and change: identities of these zones and nothing else. Others may all
 * that their role lets them.
 */
export class ZoneRights {
  readonly #deps: ZoneRightsDeps

  constructor(deps: ZoneRightsDeps) {
    this.#deps = deps
  }

  /** The zones that a caller is bound to; undefined: to none. */
  zonesOf(call: Call): ReadonlySet<string> | undefined {
    const caller = this.#deps.callerOf(call)
    if (!('roles' in caller) || !caller.roles.includes('zone-admin') || caller.roles.includes('admin')) return undefined
    return this.#deps.zonesByAdmin.get(caller.spiffeId.toString()) ?? new Set()
  }

  maySee(call: Call, spiffeId: SpiffeId | string): boolean {
    const zones = this.zonesOf(call)
    return zones === undefined || this.#isWithin(zones, this.#zonesOfId(spiffeId.toString()))
  }

  /** @throws {@link SallyportError} `ZONE_REFUSED` */
  checkZone(call: Call, zone: string): void {
    const zones = this.zonesOf(call)
    if (zones !== undefined && !zones.has(zone)) throw refused(zone)
  }

  /** @throws {@link SallyportError} `ZONE_REFUSED` */
  checkIdentity(call: Call, spiffeId: SpiffeId | string): void {
    if (!this.maySee(call, spiffeId)) throw refused(spiffeId.toString())
  }

  /**
   * A change of an entry: rights are needed where its id is and where it would be (SE-44). Whoever holds an id with rights on this
   * server has them, and whoever holds a parent may hold what is below it: neither is for those who are bound.
   *
   * @throws {@link SallyportError} `ZONE_REFUSED`
   */
  checkChange(call: Call, before: RegistrationEntry | undefined, after: RegistrationEntry | undefined): void {
    const zones = this.zonesOf(call)
    if (zones === undefined) return
    const ids = new Map(
      [before, after].flatMap((entry) => (entry === undefined ? [] : [[String(entry.spiffeId), entry]])),
    )
    for (const [text, { spiffeId }] of ids) {
      const others = this.#deps.directory.entriesWithSpiffeId(spiffeId)
      const left = others.filter(({ id }) => id !== before?.id && id !== after?.id)
      const coming = after?.spiffeId.equals(spiffeId) === true ? [...left, after] : left
      if (this.#isPrivileged(text, [...others, ...coming])) throw refused(text, 'it has rights on this server')
      if (this.#reachesOut(zones, spiffeId)) throw refused(text, 'entries of other zones are below it')
      const isAllowed =
        (others.length === 0 || this.#isWithin(zones, this.#zonesOfId(text))) &&
        (coming.length === 0 || this.#isWithin(zones, this.#zonesWith(coming)))
      if (!isAllowed) throw refused(text)
    }
    this.#checkDnsNames(zones, before, after)
  }

  /** Clients that know their server by its DNS name would take whoever is given that name for it. */
  #checkDnsNames(
    zones: ReadonlySet<string>,
    before: RegistrationEntry | undefined,
    after: RegistrationEntry | undefined,
  ): void {
    const had = new Set(before?.dnsNames.map((name) => name.toLowerCase()))
    const added = (after?.dnsNames ?? []).filter((name) => !had.has(name.toLowerCase()))
    for (const name of added) {
      if (name.startsWith('*')) throw refused(`the DNS name ${name}`, 'it stands for names of other zones too')
      const holders = this.#deps.directory.entriesWithDnsName(name)
      const isForeign = holders.some(({ spiffeId }) => !this.#isWithin(zones, this.#zonesOfId(spiffeId.toString())))
      if (isForeign) throw refused(`the DNS name ${name}`, 'an identity outside of its zones has it')
    }
  }

  #isPrivileged(spiffeId: string, entries: readonly RegistrationEntry[]): boolean {
    return this.#deps.privilegedIds.has(spiffeId) || entries.some(isPrivileged)
  }

  /** Is there an entry below this id, at any depth, that is not of these zones? */
  #reachesOut(zones: ReadonlySet<string>, parentId: SpiffeId, walked = new Set<string>()): boolean {
    if (walked.has(parentId.toString())) return false
    walked.add(parentId.toString())
    return this.#deps.directory
      .entriesUnder(parentId)
      .some(
        ({ spiffeId }) =>
          !this.#isWithin(zones, this.#zonesOfId(spiffeId.toString())) || this.#reachesOut(zones, spiffeId, walked),
      )
  }

  /** An id in no zone, or in more than one, belongs to nobody who is bound. */
  #isWithin(zones: ReadonlySet<string>, found: readonly string[]): boolean {
    const [zone, ...others] = found
    return zone !== undefined && others.length === 0 && zones.has(zone)
  }

  #zonesOfId(spiffeId: string): readonly string[] {
    return this.#deps.book.current?.members.partyOf(spiffeId).zoneIds ?? []
  }

  #zonesWith(entries: readonly RegistrationEntry[]): readonly string[] {
    const row = this.#deps.book.current?.members.rowOf(entries.map(registeredIdentityOf))
    return row === undefined ? [] : zonesOfRow(row)
  }
}

const refused = (what: string, why = 'it is outside of its zones'): SallyportError =>
  new SallyportError('ZONE_REFUSED', `Cannot let this administrator see or change ${what}: ${why}`)
