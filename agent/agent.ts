import { randomBytes } from 'node:crypto'
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
import type { Peer } from '../src/peer/peer.ts'
import { openChannel } from '../src/wire/channel.ts'
import { reflection } from '../src/wire/reflection.ts'
import { serve } from '../src/wire/serve.ts'
import { openProcess, type OpenProcess } from '../src/peer/open-process.ts'
import { attest } from './attest/attest.ts'
import { workloadAttestors } from './attest/catalog.ts'
import { checkSameExecutable } from './attest/same-executable.ts'
import type { WorkloadAttestor } from './attest/workload-attestor.ts'
import { parseAddress } from '../src/config/operations-fields.ts'
import { BrokerScopes } from './broker/brokered-entitlements.ts'
import { checkSameIds } from './broker/same-ids.ts'
import type { AgentConfig } from './config.ts'
import { Entitlements } from './entries/entitlements.ts'
import { agentGauges, agentMetrics } from './metrics.ts'
import { bootstrapBundle, homeOf } from './node/bootstrap.ts'
import type { Disk } from './node/disk.ts'
import { Node } from './node/node.ts'
import { NodeStatus } from './node/node-status.ts'
import { proofsOf } from './node/proofs.ts'
import { realDisk } from './node/real-disk.ts'
import { SavedState } from './node/saved-state.ts'
import { View } from './node/view.ts'
import {
  ADMIN_SOCKET_MODE,
  adminAccess,
  prepareAdminFolder,
  prepareWorkloadFolder,
  WORKLOAD_SOCKET_MODE,
} from './rpc/admin-access.ts'
import { adminApi, ownProcessesApi } from './rpc/admin.ts'
import { BrokerEndpoint } from './rpc/broker-endpoint.ts'
import { Callers, type CallersDeps } from './rpc/callers.ts'
import { debugApi } from './rpc/debug.ts'
import { healthApi } from './rpc/health.ts'
import { loggerApi } from './rpc/logger.ts'
import { workloadApi } from './rpc/workload.ts'
import { workloadPolicyApi } from './rpc/workload-policy.ts'
import { DecisionLog } from './policy/decision-log.ts'
import { DecisionSpool } from './policy/decision-spool.ts'
import { PolicyHolder } from './policy/policy-holder.ts'
import { SavedPolicy } from './policy/saved-policy.ts'
import { JwtSvidCache } from './svids/jwt-svid-cache.ts'
import { WarmRestart } from './svids/warm-restart.ts'
import { WitSvidCache } from './svids/wit-svid-cache.ts'
import { X509SvidCache } from './svids/x509-svid-cache.ts'
import { serverCalls } from './upstream/server-calls.ts'
import { verifyServerName, verifyServerWith, type VerifyServer } from './upstream/server-identity.ts'
import { ServerLink, type Connect, type Dial } from './upstream/server-link.ts'
import type { Random } from './upstream/timing.ts'
import { TrustedClock } from './upstream/trusted-clock.ts'

/** What an agent is made of besides its configuration; whatever is left out is the real one. */
export interface AgentDeps {
  readonly clock: Clock
  readonly cryptography: Cryptography
  readonly random: Random
  readonly log: Log
  readonly metrics: MetricRegistry
  readonly disk: Disk
  readonly connect: Connect
  readonly serve: typeof serve
  readonly attestors: readonly WorkloadAttestor[]
  readonly checkSameExecutable: (peer: Peer) => void
  readonly openProcess: (pid: number) => OpenProcess | undefined
  readonly prepareFolders: (config: AgentConfig) => void
}

/** A running agent. Disposing it drains it first. */
export interface RunningAgent extends AsyncDisposable {
  readonly status: NodeStatus
  readonly node: Node
  readonly entitlements: Entitlements
  readonly policy: PolicyHolder
  readonly x509Svids: X509SvidCache
  readonly jwtSvids: JwtSvidCache
  readonly metrics: MetricRegistry
  readonly httpPorts: OperationsPorts
  /** Of the broker endpoint, where it has an address. */
  readonly brokerPort: number | undefined
  /** Ends streams so that workloads come back, saves what it has, closes everything. Once. */
  drain(): Promise<void>
}

const DRAIN_MS = 3_000

/**
 * Opens the whole agent: what was saved → the way to the server → what is held → sockets. It serves what is still valid at once,
 * and joins or catches up by itself.
 *
 * @throws {@link SallyportError} of the part that cannot be opened; what was opened before is closed again
 */
export async function openAgent(config: AgentConfig, given: Partial<AgentDeps> = {}): Promise<RunningAgent> {
  const deps = withRealParts(config, given)
  const { cryptography, random, log, metrics, disk } = deps
  const clock = new TrustedClock(deps.clock)
  const startedAt = clock.now()
  const startedAtMs = clock.monotonicMs()
  await using parts = new AsyncDisposableStack()
  const loops = new Loops({ clock, log })

  // Where it belongs, and the way there
  deps.prepareFolders(config)
  const saved = new SavedState(disk, config.dataDir)
  const { trustDomain, serverAddress } = await homeOf(config, saved, disk)
  const status = new NodeStatus()
  const entitlements = new Entitlements(trustDomain)
  const view = new View(entitlements, saved, clock)
  const verify: VerifyServer = (chain) =>
    config.insecureBootstrap && entitlements.ownBundle === undefined
      ? verifyServerName(trustDomain)(chain)
      : verifyServerWith({ trustDomain, clock, cryptography, candidates: () => node.candidates(loops.signal) })(chain)
  const link = parts.use(new ServerLink({ connect: deps.connect, clock, address: serverAddress, verify }))
  const upstream = serverCalls({ transport: () => link.transport, trustDomain, clock, cryptography })

  // What it holds for workloads
  const counts = agentMetrics(metrics)
  const x509Svids = new X509SvidCache({
    ...{ entitlements, upstream, clock, cryptography, random, log },
    isConnected: () => status.isInSync,
    keyType: config.svids.keyType,
    keyPoolSize: config.svids.keyPool,
    size: config.svids.x509CacheSize,
    signing: counts.signingSeconds,
  })
  const jwtSvids = new JwtSvidCache({
    ...{ entitlements, upstream, clock, cryptography },
    size: config.svids.jwtCacheSize,
    sizePerUid: config.svids.jwtCachePerUser,
  })
  const witSvids = config.experimental.witSvid
    ? new WitSvidCache({
        ...{ entitlements, upstream, clock, cryptography, random, log },
        isConnected: () => status.isInSync,
        keyType: config.svids.keyType,
        keyPoolSize: config.svids.keyPool,
      })
    : undefined
  const policy = new PolicyHolder({
    ...{ trustDomain: trustDomain.name, entitlements, clock, cryptography, log },
    agentId: () => node.identity?.spiffeId.toString(),
    saved: new SavedPolicy(disk, config.dataDir),
    heartbeatMs: config.heartbeatInterval * 1000,
  })
  const decisions = new DecisionLog({
    ...{ upstream, clock, random, log },
    spool: new DecisionSpool(disk, config.dataDir),
    agentId: () => node.identity?.spiffeId.toString(),
    spoolMaxBytes: config.limits.decisionSpool,
  })
  const warmRestart = new WarmRestart({ x509Svids, disk, clock, log, folder: config.runtimeDir })

  // Its own membership
  const hurry = (): void => {
    x509Svids.hurry()
    witSvids?.hurry()
  }
  const node: Node = new Node({
    ...{ trustDomain, serverAddress, upstream, link, saved, view, policy, status, clock, cryptography, random, log },
    holdings: entitlements,
    proofs: proofsOf(config, { disk, random }),
    serverKind: config.serverKind,
    heartbeatMs: config.heartbeatInterval * 1000,
    pollMs: config.pollInterval * 1000,
    bootstrapBundle: (signal) => bootstrapBundle(config, trustDomain, link, disk, signal),
    onConnected: hurry,
    onClockJump: hurry,
  })
  await node.restore()
  await policy.restore()
  await decisions.restore()
  await warmRestart.restore()

  // Who calls, and what they may ask
  const attestCaller = (peer: Peer, signal: AbortSignal) =>
    attest(peer, deps.attestors, signal, log, deps.checkSameExecutable)
  const calling: CallersDeps = {
    ...{ clock, status },
    attest: attestCaller,
    checkSameExecutable: deps.checkSameExecutable,
    holdMs: config.holdUnknownCaller * 1000,
    limits: {
      heldCallersPerUid: config.limits.heldCallersPerUser,
      jwtSigningPerUid: config.limits.jwtSigningPerUser,
    },
  }
  const callers = new Callers(calling)
  const explaining = { entitlements, x509Svids, policy, status, attest: attestCaller }
  const isServing = (): boolean => entitlements.ownBundle !== undefined
  const recordCall = (method: string, result: string, durationMs: number): void =>
    counts.callSeconds.observe(durationMs / 1000, { method, status: result })
  const workload = workloadApi({
    ...{ entitlements, x509Svids, jwtSvids, witSvids, callers, clock, cryptography, log },
    foreignClaims: config.allowedForeignJwtClaims,
  })
  const limits = {
    connections: config.limits.connections,
    connectionsPerUid: config.limits.connectionsPerUser,
    streamsPerUid: config.limits.streamsPerUser,
  }
  const offered = [
    workload,
    workloadPolicyApi({ entitlements, policy, decisions, callers }),
    ownProcessesApi(explaining),
    healthApi(isServing, clock),
  ]
  const workloadWire = parts.use(
    deps.serve({
      implementations: [...offered, ...reflection(offered)],
      ...{ recordCall, log, clock, limits },
    }),
  )
  const adminWire = parts.use(
    deps.serve({
      implementations: [
        adminApi({ ...explaining, node, jwtSvids, decisions, serverAddress, startedAt, log }),
        debugApi({ node, status, x509Svids, jwtSvids, clock, startedAtMs }),
        loggerApi(log),
        healthApi(isServing, clock),
      ],
      before: adminAccess(new Set([0, process.geteuid?.() ?? 0, ...config.adminUids]), log),
      ...{ recordCall, log, clock },
    }),
  )
  const { broker } = config.experimental
  const brokerEndpoint =
    broker === undefined
      ? undefined
      : parts.use(
          new BrokerEndpoint(broker, {
            ...{ serve: deps.serve, recordCall, log, clock, cryptography, x509Svids, jwtSvids, attest: attestCaller },
            // Apart from the workloads' own calls, so that neither takes the other's share.
            callers: new Callers({ ...calling, checkSameExecutable: checkSameProcess(deps.checkSameExecutable) }),
            scopes: new BrokerScopes(entitlements),
            bundles: entitlements,
            isInSync: () => status.isInSync,
            identity: () => node.identity,
            openProcess: deps.openProcess,
            callsPerBroker: config.limits.streamsPerUser,
            // More calls on one connection than a broker may have open, so that it is told so instead of waiting.
            limits: { connections: limits.connections, streamsPerConnection: config.limits.streamsPerUser + 64 },
          }),
        )
  agentGauges(metrics, { entitlements, x509Svids, jwtSvids, witSvids, policy, decisions, status, node, callers, clock })

  // What runs by itself
  parts.use(loops)
  loops.start('svids', (signal) => x509Svids.run(signal))
  if (witSvids !== undefined) loops.start('witSvids', (signal) => witSvids.run(signal))
  loops.start('warmRestart', (signal) => warmRestart.run(signal))
  loops.start('policy', (signal) => policy.run(signal))
  loops.start('decisions', (signal) => decisions.run(signal))
  loops.start('node', (signal) => node.run(signal))

  // From here on others can see it
  const { allowStartTimeFallback } = config
  await workloadWire.listenUnix(config.socket, { mode: WORKLOAD_SOCKET_MODE, allowStartTimeFallback })
  await adminWire.listenUnix(config.adminSocket, { mode: ADMIN_SOCKET_MODE, allowStartTimeFallback })
  const brokerPort = await brokerEndpoint?.listen()
  const httpPorts = await openOperationsHttp(
    config,
    { log, metrics, live: [], ready: [{ name: 'serving', check: () => checkServing(status, isServing()) }] },
    parts,
  )
  log.info({ trustDomain: trustDomain.name, serverAddress, socket: config.socket }, 'Agent ready')

  const owned = parts.move()
  let draining: Promise<void> | undefined
  const drain = async (): Promise<void> => {
    log.info({}, 'Agent drains')
    await Promise.all([workloadWire.drain(DRAIN_MS), adminWire.drain(DRAIN_MS), brokerEndpoint?.drain(DRAIN_MS)])
    await owned.disposeAsync()
    await Promise.allSettled([node.flush(), warmRestart.flush()])
    log.info({}, 'Agent stopped')
  }
  return {
    ...{ status, node, entitlements, policy, x509Svids, jwtSvids, metrics, httpPorts, brokerPort },
    drain: () => (draining ??= drain()),
    [Symbol.asyncDispose]: () => (draining ??= drain()),
  }
}

function withRealParts(config: AgentConfig, given: Partial<AgentDeps>): AgentDeps {
  const clock = given.clock ?? systemClock
  const { discoverWorkloadPath, workloadSizeLimit, foreignNamespaces, hostNamespaces } = config.attestors.unix
  return {
    cryptography: threadPoolCryptography,
    random: randomBytes,
    metrics: processMetrics(clock),
    disk: realDisk,
    connect: ({ address, verify, identity }: Dial) =>
      openChannel({ address: parseAddress(address), tls: { verify, identity }, clock }),
    serve,
    attestors: [
      workloadAttestors.unix({
        ...{ discoverWorkloadPath, foreignNamespaces, hostNamespaces, clock },
        workloadSizeLimitBytes: workloadSizeLimit,
      }),
    ],
    checkSameExecutable,
    openProcess: (pid) => openProcess(pid, { allowStartTimeFallback: config.allowStartTimeFallback }),
    prepareFolders: ({ socket, adminSocket, experimental: { broker } }) => {
      prepareWorkloadFolder(socket)
      prepareAdminFolder(adminSocket)
      if (broker?.socket !== undefined) prepareWorkloadFolder(broker.socket)
    },
    ...given,
    clock,
    log: given.log ?? openLog(config.log),
  }
}

/** A process that a broker refers to may have changed its program or its user since it was attested. */
const checkSameProcess =
  (checkExecutable: (peer: Peer) => void) =>
  (peer: Peer): void => {
    checkExecutable(peer)
    checkSameIds(peer)
  }

function checkServing({ state, reason }: NodeStatus, isServing: boolean): void {
  if (isServing) return
  const why = reason === '' ? '' : ` (${reason})`
  throw new SallyportError('NOT_READY', `The agent has no bundle yet: it is ${state}${why}`)
}
