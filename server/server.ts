import { hash, randomBytes } from 'node:crypto'
import { hostname } from 'node:os'
import { systemClock, type Clock } from '../src/clock.ts'
import { SallyportError } from '../src/errors.ts'
import type { Cryptography } from '../src/key/cryptography.ts'
import { threadPoolCryptography } from '../src/key/thread-pool-cryptography.ts'
import type { Log } from '../src/log/log.ts'
import { openLog } from '../src/log/open-log.ts'
import type { MetricRegistry } from '../src/metrics/registry.ts'
import { Loops } from '../src/process/loops.ts'
import { openOperationsHttp, type OperationsPorts } from '../src/process/operations-http.ts'
import { processMetrics } from '../src/process/process-metrics.ts'
import type { Check } from '../src/process/readiness.ts'
import { VERSION } from '../src/version.ts'
import type { Connection } from '../src/wire/call.ts'
import { serve, type WireServer } from '../src/wire/serve.ts'
import { Access } from './access/access.ts'
import { ADMIN_SOCKET_MODE, prepareSocketFolder } from './access/admin-socket.ts'
import { RateLimits } from './access/rate-limits.ts'
import { ServerSvid } from './access/server-svid.ts'
import { nodeAttestors } from './attest/catalog.ts'
import { RefusalCounter } from './audit/refusal-counter.ts'
import { serverStarted, serverStopped } from './audit/server-events.ts'
import { openAuthorities } from './authority/authorities.ts'
import { ClockSteadiness } from './authority/clock-steadiness.ts'
import { countedIssuer } from './authority/counted-issuer.ts'
import { createIssuer } from './authority/issuer.ts'
import { parseAddress } from '../src/config/operations-fields.ts'
import type { ServerConfig } from './config.ts'
import { openDataFolder, type DataFolder } from './data-folder.ts'
import { Directory } from './entries/directory.ts'
import { prune } from './entries/prune.ts'
import { openDiskKeyStore } from './keys/disk-key-store.ts'
import type { KeyStore } from './keys/key-store.ts'
import { Groups } from './lifecycle/groups.ts'
import { lifecycleUpkeep } from './lifecycle/upkeep.ts'
import { serverGauges, serverMetrics } from './metrics.ts'
import { openPolicy } from './policy/open-policy.ts'
import { ZoneRights } from './rpc/zone-rights.ts'
import { serverImplementations } from './rpc/server-implementations.ts'
import {
  approvalLimits,
  authoritySettings,
  CLOCK_SETTLE_SECONDS,
  decisionLimits,
  decisionRoom,
  issuerSettings,
  rateLimitSettings,
  secondSignerSettings,
  warningsOf,
  wireLimitSettings,
  x509popSettings,
} from './settings.ts'
import type { DecisionCounts } from './store/decision-rows.ts'
import { openSqliteStore } from './store/sqlite.ts'
import type { Store } from './store/store.ts'
import { syncImplementation } from './sync/follow.ts'
import { Followers } from './sync/followers.ts'
import type { CheckpointSigner } from './sync/sync-deps.ts'

/** What a server is made of besides its configuration; whatever is left out is the real one. */
export interface ServerDeps {
  readonly clock: Clock
  readonly cryptography: Cryptography
  readonly random: (bytes: number) => Buffer
  readonly log: Log
  readonly metrics: MetricRegistry
  readonly openDataFolder: (folder: string, random: (bytes: number) => Buffer) => DataFolder
  readonly openStore: (path: string) => Promise<Store>
  readonly openKeys: (folder: string) => Promise<KeyStore>
  readonly prepareSocketFolder: (socketPath: string) => void
  readonly serve: typeof serve
}

/** A running server. Disposing it drains it first. */
export interface RunningServer extends AsyncDisposable {
  /** The port that agents connect to: of the configuration, or the one that was free when it says 0. */
  readonly port: number
  readonly httpPorts: OperationsPorts
  readonly directory: Directory
  readonly metrics: MetricRegistry
  isReady(): boolean
  /** Gives back what is kept in memory only to be faster, such as pages of the database. */
  releaseMemory(): Promise<void>
  /** Stops accepting, ends streams so that agents come back later, lets calls finish, then closes everything. Once. */
  drain(): Promise<void>
}

const DRAIN_MS = 10_000

/**
 * Opens the whole server: store → directory → access → push streams → authorities → issuer → services → sockets.
 *
 * @throws {@link SallyportError} of the part that cannot be opened; what was opened before is closed again
 */
export async function openServer(config: ServerConfig, given: Partial<ServerDeps> = {}): Promise<RunningServer> {
  const deps = withRealParts(config, given)
  const { clock, cryptography, random, log, metrics } = deps
  const { trustDomain } = config
  const startedAt = clock.now()
  for (const warning of warningsOf(config)) log.warn({}, warning)
  await using parts = new AsyncDisposableStack()

  // What the server must not lose
  const data = deps.openDataFolder(config.dataDir, random)
  const store = parts.use(await deps.openStore(data.databasePath))
  const keys = await deps.openKeys(data.keysFolder)
  const directory = parts.use(await Directory.open({ store, trustDomain, clock, log }))

  // Who may reach what
  const counts = serverMetrics(metrics)
  const secondSigners = secondSignerSettings(config)
  const policyParts = await openPolicy({
    ...{ store, keys, directory, trustDomain, clock, cryptography, random, log, secondSigners },
    admins: config.adminIds,
    slicesSigned: counts.slicesSigned,
  })
  const { book, slices, fastLane, gate } = policyParts
  const groups = new Groups(config.policy.groups)
  const approvals = approvalLimits(config)
  const lifecycle = { store, directory, book, fastLane, groups, approvals, clock, random }

  // Who may call
  const refusals = new RefusalCounter({ store, clock, log })
  const access = new Access({
    ...{ directory, store, trustDomain, clock, cryptography, log, refusals },
    adminIds: config.adminIds,
    zoneAdminIds: config.admins.map(({ id }) => id),
    adminUids: new Set([0, process.geteuid?.() ?? 0, ...config.adminUids]),
    limits: new RateLimits(rateLimitSettings(config), clock),
    refusedCalls: counts.refusedCalls,
  })
  const { callerOf, spendSignatures } = access
  const zonesByAdmin = new Map(config.admins.map(({ id, zones }) => [id.toString(), new Set(zones)]))
  const privilegedIds = new Set([...config.adminIds.map(String), ...zonesByAdmin.keys()])
  const zoneRights = new ZoneRights({ zonesByAdmin, privilegedIds, callerOf, directory, book })

  // Who signs, and what agents hear of it
  let decisions = await store.decisionCounts()
  const sync = {
    ...{ trustDomain, directory, store, clock, log, callerOf },
    checkpointSigner: await checkpointSigner(keys),
    refusalOf: (call: Parameters<typeof callerOf>[0]) => access.refusalOf(call),
    duplicateStreams: counts.duplicateStreams,
    policy: { book, slices, fastLane },
    decisionsStored: counts.decisionsStored,
    decisionRoom: decisionRoom(config.policy.decisions),
    decisionsHeld: (held: DecisionCounts) => void (decisions = held),
    disconnect: (connection: Connection) => wire.disconnect(connection),
  }
  const followers = new Followers(sync)
  const authorities = await openAuthorities({
    ...{ trustDomain, store, keys, clock, random, log },
    serverId: data.serverId,
    acknowledgements: followers,
    config: authoritySettings(config),
  })
  await caughtUp(directory, store)
  const issuer = countedIssuer(
    createIssuer({ authorities, store, clock, cryptography, random, gate, config: issuerSettings(config) }),
    { issued: counts.issued, refused: counts.notIssued },
  )
  const ownSvid = new ServerSvid({
    ...{ issuer, clock, cryptography, log, keyType: config.ca.keyType },
    isTrusted: (authorityId) =>
      authorities.isPublished('x509', authorityId) && !authorities.isDistrusted('x509', authorityId),
  })
  const attestors = nodeAttestors({
    ...{ trustDomain, store, directory, clock, cryptography, random, log },
    rejoinWindowMs: config.attestors.joinToken.rejoinWindow * 1000,
    x509pop: x509popSettings(config),
  })

  // What is served, and where
  const state = { isDraining: false, port: 0 }
  const loops = new Loops({ clock, log })
  const readyChecks: readonly Check[] = [
    { name: 'serving', check: () => checkServing(state.isDraining, loops) },
    { name: 'x509Authority', check: () => void authorities.activeX509() },
    { name: 'jwtAuthority', check: () => void authorities.activeJwt() },
    ...(authorities.offers('wit') ? [{ name: 'witAuthority', check: () => void authorities.activeWit() }] : []),
    { name: 'ownSvid', check: () => void ownSvid.credentials() },
    { name: 'store', check: async () => void (await store.commit({ mutations: [], audit: [] })) },
  ]
  const isReady = (): boolean => readyChecks.slice(0, -1).every(({ check }) => passes(check))
  const wire: WireServer = parts.use(
    deps.serve({
      implementations: [
        ...serverImplementations({
          ...{ trustDomain, store, directory, authorities, issuer, attestors, callerOf, spendSignatures, refusals },
          ...{ clock, cryptography, random, log, isReady, startedAt, version: VERSION },
          ...{ ...policyParts, secondSigners, lifecycle, zoneRights },
          fleet: followers,
          address: () => config.advertisedAddress ?? `${hostname()}:${state.port}`,
        }),
        syncImplementation(sync, followers),
      ],
      before: access.authorize,
      recordCall: (method, status, durationMs) => counts.callSeconds.observe(durationMs / 1000, { method, status }),
      ...{ log, clock, limits: wireLimitSettings(config) },
    }),
  )
  serverGauges(metrics, {
    ...{ directory, followers, authorities, store, book },
    ...{ connections: () => wire.connections.size, decisions: () => decisions },
  })

  // What runs by itself
  parts.use(loops)
  loops.start('authorities', (signal) => authorities.run(signal))
  loops.start('policy', (signal) => book.run(signal))
  loops.start('followers', (signal) => followers.run(signal))
  loops.start('refusals', (signal) => refusals.run(signal))
  loops.start('prune', (signal) =>
    prune(
      {
        ...{ directory, store, clock, log },
        steadiness: new ClockSteadiness(clock, CLOCK_SETTLE_SECONDS * 1000),
        purgeAgentsAfterMs: config.agents.purgeExpiredAfter * 1000,
        auditRetentionMs: config.audit.retention * 1000,
        decisions: decisionLimits(config),
      },
      signal,
    ),
  )
  const upkeep = { ...lifecycle, log, retentionMs: config.audit.retention * 1000 }
  loops.start('lifecycle', (signal) => lifecycleUpkeep(upkeep, signal))
  await ownSvid.renew()
  loops.start('ownSvid', (signal) => ownSvid.run(signal))

  // From here on others can see it
  const http = await openOperationsHttp(
    config,
    { log, metrics, live: [{ name: 'process', check: () => undefined }], ready: readyChecks },
    parts,
  )
  deps.prepareSocketFolder(config.adminSocket)
  await listen(config, wire, ownSvid, state)
  await store.commit({
    mutations: [],
    audit: [serverStarted(clock.now(), data.serverId, VERSION, hash('sha256', JSON.stringify(config)))],
  })
  log.info(
    { trustDomain: trustDomain.name, port: state.port, adminSocket: config.adminSocket, revision: directory.revision },
    'Server ready',
  )

  const owned = parts.move()
  let draining: Promise<void> | undefined
  const drain = async (): Promise<void> => {
    state.isDraining = true
    log.info({}, 'Server drains')
    await wire.drain(DRAIN_MS)
    await refusals.flush()
    await store.commit({ mutations: [], audit: [serverStopped(clock.now(), data.serverId)] }).catch((err: unknown) => {
      // A disk that is full or gone must not keep the process.
      log.error({ err }, 'Cannot record the stop in the journal')
    })
    await owned.disposeAsync()
    log.info({}, 'Server stopped')
  }
  return {
    ...{ port: state.port, httpPorts: http, directory, metrics, isReady },
    releaseMemory: () => store.releaseMemory(),
    drain: () => (draining ??= drain()),
    [Symbol.asyncDispose]: () => (draining ??= drain()),
  }
}

function withRealParts(config: ServerConfig, given: Partial<ServerDeps>): ServerDeps {
  const clock = given.clock ?? systemClock
  const log = given.log ?? openLog(config.log)
  const cryptography = given.cryptography ?? threadPoolCryptography
  return {
    metrics: processMetrics(clock),
    random: randomBytes,
    openDataFolder,
    prepareSocketFolder,
    openStore: (path) => openSqliteStore({ path, clock, log }),
    openKeys: (folder) => openDiskKeyStore(folder, cryptography),
    serve,
    ...given,
    ...{ clock, log, cryptography },
  }
}

/** The key whose signatures agents keep as evidence of the audit journal: made once, for as long as the key store lasts. */
async function checkpointSigner(keys: KeyStore): Promise<CheckpointSigner> {
  const signer = (await keys.signer('checkpoint')) ?? (await keys.generate('checkpoint', 'ed25519'))
  return {
    publicKey: signer.publicKey.export({ type: 'spki', format: 'der' }),
    sign: (content) => signer.sign('EdDSA', content, 'der'),
  }
}

/** The bundle that callers are verified with is known before the first of them comes. */
async function caughtUp(directory: Directory, store: Store): Promise<void> {
  const newest = (await store.changesSince(directory.revision))?.at(-1)
  if (newest !== undefined) await directory.reached(newest.revision)
}

async function listen(
  config: ServerConfig,
  wire: WireServer,
  ownSvid: ServerSvid,
  state: { port: number },
): Promise<void> {
  await wire.listenUnix(config.adminSocket, { mode: ADMIN_SOCKET_MODE })
  const { port } = await wire.listenTls(parseAddress(config.listen), { credentials: () => ownSvid.credentials() })
  state.port = port
}

function checkServing(isDraining: boolean, { failing }: Loops): void {
  if (isDraining) throw new SallyportError('NOT_READY', 'The server is stopping')
  if (failing.size > 0) throw new SallyportError('NOT_READY', `These do not run: ${[...failing].join(', ')}`)
}

function passes(check: () => unknown): boolean {
  try {
    check()
    return true
  } catch (error) {
    if (error instanceof SallyportError) return false
    throw error
  }
}
