import type { Caller } from './caller.ts'

/** A kind of caller that a method may be for. */
export type CallerClass = 'anyone' | 'local' | 'admin' | 'zone-admin' | 'agent' | 'downstream'

const anyone = ['anyone'] as const
const operators = ['local', 'admin'] as const
/** Administrators who are bound to zones too: the handler sees to it that they stay in them. */
const zoned = ['local', 'admin', 'zone-admin'] as const
const agents = ['agent'] as const
const localOnly = ['local'] as const

/**
 * Every method that this server serves × who may call it; a method that is not here answers UNIMPLEMENTED, to everybody.
 * The same as SPIRE's, so that its tools find what they expect, plus our own services.
 */
export const permissions: Readonly<Record<string, Readonly<Record<string, readonly CallerClass[]>>>> = {
  'spire.api.server.agent.v1.Agent': {
    AttestAgent: anyone,
    RenewAgent: agents,
    PostStatus: agents,
    CountAgents: operators,
    ListAgents: operators,
    GetAgent: operators,
    DeleteAgent: operators,
    BanAgent: operators,
    CreateJoinToken: operators,
  },
  'spire.api.server.entry.v1.Entry': {
    CountEntries: zoned,
    ListEntries: zoned,
    GetEntry: zoned,
    BatchCreateEntry: zoned,
    BatchUpdateEntry: zoned,
    BatchDeleteEntry: zoned,
    GetAuthorizedEntries: agents,
    SyncAuthorizedEntries: agents,
  },
  'spire.api.server.svid.v1.SVID': {
    MintX509SVID: operators,
    MintJWTSVID: operators,
    MintWITSVID: operators,
    BatchNewX509SVID: agents,
    NewJWTSVID: agents,
    BatchNewWITSVID: agents,
    NewDownstreamX509CA: ['downstream'],
  },
  'spire.api.server.bundle.v1.Bundle': {
    GetBundle: anyone,
    GetFederatedBundle: ['local', 'admin', 'agent'],
    CountBundles: operators,
    AppendBundle: operators,
    ListFederatedBundles: operators,
    BatchCreateFederatedBundle: operators,
    BatchUpdateFederatedBundle: operators,
    BatchSetFederatedBundle: operators,
    BatchDeleteFederatedBundle: operators,
    PublishJWTAuthority: ['downstream'],
    PublishWITAuthority: ['downstream'],
  },
  'grpc.health.v1.Health': { Check: localOnly, List: localOnly, Watch: localOnly },
  'sallyport.sync.v1.Sync': { Follow: agents, ReportDecisions: agents },
  'sallyport.server.v1.Policies': {
    Validate: operators,
    Apply: operators,
    Rollback: operators,
    Get: operators,
    List: operators,
    GetStatus: operators,
    ListMembers: zoned,
    GetSlice: operators,
    ListKeys: operators,
    RotateKey: operators,
    RevokeKey: operators,
    VouchForKeys: operators,
    SubmitSignature: operators,
  },
  'sallyport.server.v1.Lifecycle': {
    AddQuarantine: zoned,
    RemoveQuarantine: zoned,
    ListQuarantines: zoned,
    Offboard: operators,
    Reinstate: operators,
    ListOffboarded: operators,
    RequestGrant: operators,
    ApproveGrant: operators,
    RevokeGrant: operators,
    ListGrants: operators,
    StartBreakGlass: operators,
    ApproveBreakGlass: operators,
    StopBreakGlass: operators,
    ListBreakGlass: operators,
    RevokeSerial: operators,
    ListRevokedSerials: operators,
    GetLifecycle: operators,
    ListFastLane: operators,
  },
  'sallyport.server.v1.Decisions': { List: operators, Get: operators, Tail: operators, ListCounters: operators },
  'sallyport.server.v1.Registrations': { CreateEntries: zoned, UpdateEntries: zoned, ListLabels: zoned },
  'sallyport.server.v1.Admin': {
    GetStatus: operators,
    CreateToken: operators,
    ListAudit: operators,
    VerifyAudit: operators,
  },
}

/** Services that exist on the admin socket only: elsewhere even an admin is told that there is no such method. */
export const adminSocketServices: ReadonlySet<string> = new Set(['grpc.health.v1.Health'])

/** Who may call `/service/Method`; undefined when nobody can because it is not served. */
export function allowedCallers(method: string): readonly CallerClass[] | undefined {
  const [, service = '', name = ''] = method.split('/')
  const methods = Object.hasOwn(permissions, service) ? permissions[service] : undefined
  return methods !== undefined && Object.hasOwn(methods, name) ? methods[name] : undefined
}

/** Is a caller of one of the classes? Everybody is `anyone`; an agent that an entry names as admin is both. */
export function isAmong(caller: Caller, classes: readonly CallerClass[]): boolean {
  if (classes.includes('anyone')) return true
  if (caller.kind === 'anyone') return false
  if (caller.kind === 'local') return classes.includes('local')
  if (caller.kind === 'agent' && classes.includes('agent')) return true
  return caller.roles.some((role) => classes.includes(role))
}
