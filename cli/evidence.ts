/** A demand of a standard, how it is met, and the command that shows it. `docs/evidence.md` is printed from these rows. */
export interface EvidenceRow {
  readonly standard: 'NIST SP 800-207' | 'NIST CSF 2.0' | 'OWASP NHI Top 10 (2025)'
  readonly id: string
  readonly demand: string
  readonly answer: string
  /** Commands, without `sallyport`; none: it is not covered. */
  readonly commands: readonly string[]
  /** The figures of `report evidence` that belong to it. */
  readonly figures: readonly FigureName[]
}

/** What `report evidence` counts. */
export const figureNames = {
  services: 'services that the policy names',
  zonesEnforcing: 'zones that enforce, of all',
  unplaced: 'registered identities that are not in one zone',
  longLived: 'entries whose X509-SVIDs live longer than 4 h',
  unused: 'conduits and rules that nobody used',
  standing: 'rules that stand although they are used on few days',
  excess: 'identities with rights that they do not use',
  idle: 'identities that nobody saw',
  exposed: 'identities of zones of target 0 and 1 that get to a crown jewel',
  maxRadius: 'services that the widest identity gets to in the end',
  foreign: 'conduits from outside, of which end by themselves',
  crossTarget: 'rights from a zone into one of a higher target',
  shared: 'identities that several entries with other parents share',
  testsFailed: 'tests and invariants of the policy that fail',
  needless: 'rules and conduits that could go without loss',
} as const
export type FigureName = keyof typeof figureNames

const SP = 'NIST SP 800-207'
const CSF = 'NIST CSF 2.0'
const NHI = 'OWASP NHI Top 10 (2025)'

export const evidenceRows: readonly EvidenceRow[] = [
  row(
    SP,
    'tenet 1',
    'Everything is a resource',
    'Services, their listeners and actions stand in the policy',
    ['zone list', 'policy show'],
    ['services'],
  ),
  row(
    SP,
    'tenet 2',
    'Communication is secured wherever it runs',
    'Mutual TLS 1.3 with SVIDs, without resumption',
    ['zone level ZONE'],
    ['zonesEnforcing'],
  ),
  row(
    SP,
    'tenet 3',
    'Access is granted per session',
    'Both gates on each connection, the access gate on each request',
    ['policy explain --from ID --to SERVICE', 'decisions list'],
    [],
  ),
  row(
    SP,
    'tenet 4',
    'Access is decided by dynamic policy',
    'Conditions, windows, ends, quarantine and grants count at once',
    ['policy diff live policy.yaml', 'grant list'],
    ['testsFailed'],
  ),
  row(
    SP,
    'tenet 5',
    'The posture of all assets is measured',
    'Security level of each zone; what is stale is found',
    ['zone level ZONE', 'report stale'],
    ['idle', 'unplaced'],
  ),
  row(
    SP,
    'tenet 6',
    'Authentication and authorization are dynamic and come first',
    'SVIDs of minutes to hours; open connections are asked about again',
    ['status', 'reach --to SERVICE'],
    ['longLived'],
  ),
  row(
    SP,
    'tenet 7',
    'As much as possible is known about the present state',
    'Records of both ends, exact counters, a hash-chained journal',
    ['report traffic', 'audit verify'],
    ['unused'],
  ),
  row(
    CSF,
    'PR.AA-01',
    'Identities and credentials are managed',
    'Registration entries, short SVIDs, offboarding',
    ['entry list', 'report stale'],
    ['longLived', 'idle'],
  ),
  row(
    CSF,
    'PR.AA-03',
    'Services and hardware are authenticated',
    'Nodes and processes are attested before they get an SVID',
    ['agent list', 'zone level ZONE'],
    [],
  ),
  row(
    CSF,
    'PR.AA-05',
    'Permissions follow least privilege',
    'Default deny; unused, excessive and standing rights are listed',
    ['report overprivilege', 'report standing', 'report unused'],
    ['excess', 'standing', 'unused'],
  ),
  row(
    CSF,
    'PR.IR-01',
    'Networks are protected from unauthorized access',
    'Movement between zones only by conduits',
    ['zone show ZONE', 'paths --to-crown-jewels'],
    ['zonesEnforcing', 'exposed'],
  ),
  row(
    CSF,
    'PR.PS-04',
    'Log records are generated',
    'Every refusal in full, every allow in exact counters',
    ['decisions tail', 'report traffic'],
    [],
  ),
  row(
    CSF,
    'ID.AM-03',
    'Authorized data flows are known',
    'Conduits with owner, reason and review; what is needless is found',
    ['zone show ZONE', 'report rules'],
    ['needless'],
  ),
  row(
    CSF,
    'DE.CM-01',
    'Networks are monitored',
    'Refusals by gate: a path without a right, a right without a path',
    ['decisions list --denied-by movement'],
    [],
  ),
  row(
    CSF,
    'RS.MI-01',
    'Incidents are contained',
    'Quarantine closes open connections; the blast radius is known before',
    ['blast-radius ID', 'quarantine list'],
    ['maxRadius'],
  ),
  row(
    NHI,
    'NHI1',
    'Improper offboarding',
    'Offboarding ends SVIDs and connections; ghosts and orphans are listed',
    ['report stale', 'offboard list'],
    ['idle'],
  ),
  row(
    NHI,
    'NHI2',
    'Secret leakage',
    'Keys stay in memory and expire; a leaked one is bounded by its blast radius',
    ['blast-radius ID --model key'],
    ['longLived'],
  ),
  row(
    NHI,
    'NHI3',
    'Vulnerable third parties',
    'Foreign identities land in zones of target 0, by conduits that end',
    ['reach --from spiffe://PARTNER/ID', 'zone show ZONE'],
    ['foreign'],
  ),
  row(
    NHI,
    'NHI4',
    'Insecure authentication',
    'No shared secrets: attested, mutual TLS, strict SPIFFE IDs',
    ['zone level ZONE'],
    [],
  ),
  row(
    NHI,
    'NHI5',
    'Overprivileged identities',
    'Excess weighed by target; suggestions narrow rules to what is used',
    ['report overprivilege', 'report unused'],
    ['excess', 'maxRadius'],
  ),
  row(
    NHI,
    'NHI6',
    'Insecure cloud deployment',
    'Not covered: it concerns pipelines and accounts of cloud providers',
    [],
    [],
  ),
  row(
    NHI,
    'NHI7',
    'Long-lived secrets',
    'SVIDs end by themselves, sooner in zones of higher target',
    ['entry list', 'zone level ZONE'],
    ['longLived'],
  ),
  row(
    NHI,
    'NHI8',
    'Environment isolation',
    'Zones and guards; nothing crosses without a conduit',
    ['paths --to-crown-jewels', 'policy test policy.yaml'],
    ['crossTarget', 'testsFailed'],
  ),
  row(
    NHI,
    'NHI9',
    'Reuse of identities',
    'Entries that share an id agree in labels, and are listed',
    ['entry list', 'blast-radius ID --model node'],
    ['shared'],
  ),
  row(
    NHI,
    'NHI10',
    'Human use of machine identities',
    'People get grants and break-glass by name; use of an SVID by a person is not detected',
    ['grant list', 'breakglass list'],
    [],
  ),
]

function row(
  standard: EvidenceRow['standard'],
  id: string,
  demand: string,
  answer: string,
  commands: readonly string[],
  figures: readonly FigureName[],
): EvidenceRow {
  return { standard, id, demand, answer, commands, figures }
}
