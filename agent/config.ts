import { isAbsolute, resolve } from 'node:path'
import * as z from 'zod'
import { TrustDomain } from '../src/id/trust-domain.ts'
import { fieldTypes, parsedBy, seconds } from '../src/config/field-types.ts'
import { operationsFields } from '../src/config/operations-fields.ts'
import { keyTypes } from '../src/key/key-type.ts'
import { parsePattern } from '../src/policy/pattern.ts'
import { defaultLimits } from '../src/wire/limits.ts'

const count = (most: number): z.ZodNumber => z.number().int().min(1).max(most)
const attestor = z
  .strictObject({
    joinFile: fieldTypes.path
      .optional()
      .describe('file with what `sallyport token create` printed: address, authority and token in one'),
    joinTokenFile: fieldTypes.path.optional().describe('file with a join token alone'),
    x509pop: z
      .strictObject({
        certificate: fieldTypes.path.describe('PEM file of the certificate of this node, or its chain, leaf first'),
        privateKey: fieldTypes.path.describe('PEM file of its private key'),
        intermediates: fieldTypes.path.optional().describe('PEM file of intermediate certificates'),
      })
      .optional()
      .describe('proof by a certificate of another PKI'),
  })
  .prefault({})

const svids = z
  .strictObject({
    keyType: z.enum(keyTypes).default('ec-p256').describe('kind of the keys of workloads'),
    keyPool: z.number().int().min(0).max(1000).default(8).describe('key pairs that wait ready'),
    x509CacheSize: count(100_000).default(1000).describe('X509-SVIDs that are made before somebody asks for them'),
    jwtCacheSize: count(100_000).default(1000).describe('JWT-SVIDs that are kept'),
    jwtCachePerUser: count(100_000).default(500).describe('JWT-SVIDs that are kept for one user'),
  })
  .prefault({})

const limits = z
  .strictObject({
    connections: count(1_000_000).default(defaultLimits.connections).describe('open connections; more are refused'),
    connectionsPerUser: count(1_000_000)
      .default(defaultLimits.connectionsPerUid)
      .describe('open connections of one user; more are refused'),
    streamsPerUser: count(1_000_000)
      .default(defaultLimits.streamsPerUid)
      .describe('calls of one user that are open; more are refused'),
    heldCallersPerUser: count(100_000)
      .default(64)
      .describe('callers of one user that are held while no entry matches; more are answered at once'),
    jwtSigningPerUser: count(100_000)
      .default(256)
      .describe('calls of one user that wait for a JWT-SVID to be signed; more are refused'),
    decisionSpool: z
      .number()
      .int()
      .min(1024 * 1024)
      .default(64 * 1024 * 1024)
      .describe(
        'decisions that wait on disk for the server, in bytes; a workload that holds as much as is free keeps more to itself',
      ),
  })
  .prefault({})

const references = z.array(z.enum(['pid', 'kubernetes'])).default([])

/** SPIFFE Broker Endpoint, which is Incubating: nothing of it is there unless this section is. */
const broker = z.strictObject({
  socket: fieldTypes.socketPath.optional().describe('unix socket of the broker endpoint; mutual TLS on it too'),
  socketFor: z
    .enum(['owner', 'group', 'everyone'])
    .default('owner')
    .describe('who may open that socket (0600, 0660 or 0666); what they get is decided by their SVID'),
  listen: fieldTypes.address.optional().describe('host:port of the broker endpoint; off when not set'),
  allow: z
    .array(
      z.strictObject({
        id: fieldTypes.spiffeId,
        references,
        referencesOverTcp: references,
        identities: z
          .array(parsedBy(parsePattern))
          .min(1, 'needs at least one pattern; leave it out for every identity')
          .max(1000)
          .optional(),
      }),
    )
    .max(1000)
    .default([])
    .describe(
      'brokers, each with `id`, a SPIFFE ID, and what it may refer to workloads by over the socket (`references`) and over TCP (`referencesOverTcp`): `pid`, `kubernetes`; `identities`, patterns such as `/ns/web/**`, bind it to those identities; nobody else is served',
    ),
})

export type BrokerConfig = z.output<typeof broker>

const unix = z
  .strictObject({
    discoverWorkloadPath: z
      .boolean()
      .default(false)
      .describe('find unix:path and unix:sha256 too; needs the right to look into the processes of other users'),
    workloadSizeLimit: z
      .number()
      .int()
      .min(0)
      .default(512 * 1024 * 1024)
      .describe('largest program that is hashed, in bytes; 0 hashes none'),
    foreignNamespaces: z
      .enum(['refuse', 'mount', 'all'])
      .default('refuse')
      .describe(
        'what is said of processes in other namespaces: nothing, or their ids where the mount namespace alone or any differs',
      ),
    hostNamespaces: z
      .strictObject({
        user: z.string().optional().describe('user namespace of the host, such as user:[4026531837]'),
        mnt: z.string().optional().describe('mount namespace of the host, such as mnt:[4026531841]'),
      })
      .optional()
      .describe('namespaces of the host, where the agent runs in others'),
  })
  .prefault({})

/** The configuration of an agent. Durations are seconds once read. */
export const agentConfig = z
  .strictObject({
    trustDomain: fieldTypes.trustDomain
      .optional()
      .describe('the trust domain that this node joins; a join file says it too'),
    server: z
      .strictObject({
        address: fieldTypes.address.optional().describe('host:port of the server; a join file says it too'),
      })
      .prefault({}),
    serverKind: z
      .enum(['auto', 'sallyport', 'spire'])
      .default('auto')
      .describe(
        'auto finds out whether the server pushes and never falls back to polling one that did; spire always polls',
      ),
    dataDir: fieldTypes.path.default('data').describe("folder of the agent's key and state (made with mode 0700)"),
    runtimeDir: fieldTypes.path
      .default('/run/sallyport/agent/state')
      .describe(
        'folder in memory (tmpfs) where workload keys survive a restart of the agent; not used on other file systems',
      ),
    socket: fieldTypes.socketPath
      .default('/run/sallyport/agent/api.sock')
      .describe('unix socket of the Workload API (0666)'),
    adminSocket: fieldTypes.socketPath
      .default('/run/sallyport/agent/private/admin.sock')
      .describe('unix socket for administration (0600), in a folder of mode 0700'),
    adminUids: z
      .array(z.number().int().min(0))
      .max(100)
      .default([])
      .describe('users who may use the admin socket, besides the one that runs the agent and root'),
    attestor,
    trustBundle: fieldTypes.path
      .optional()
      .describe('bundle of the trust domain, PEM or SPIFFE format, with which the server is recognised the first time'),
    insecureBootstrap: z
      .boolean()
      .default(false)
      .describe('trust whoever answers the first time; for experiments only'),
    attestors: z.strictObject({ unix }).prefault({}),
    svids,
    holdUnknownCaller: fieldTypes.duration
      .prefault(seconds(5))
      .describe('how long a process without an entry waits for one before it is refused'),
    allowedForeignJwtClaims: z
      .array(z.string().min(1).max(255))
      .max(100)
      .default([])
      .describe('claims of tokens of other trust domains that ValidateJWTSVID passes on'),
    allowStartTimeFallback: z
      .boolean()
      .default(false)
      .describe('identify processes by pid and start time on kernels before 6.5, which leaves a race'),
    heartbeatInterval: fieldTypes.duration
      .prefault(seconds(5))
      .describe('how often the server is expected to be heard; three missed ones and the agent connects anew'),
    pollInterval: fieldTypes.duration.prefault(seconds(5)).describe('how often a server that does not push is asked'),
    limits,
    experimental: z
      .strictObject({
        broker: broker.optional(),
        witSvid: z
          .boolean()
          .default(false)
          .describe('give workloads WIT-SVIDs, where the server issues them; the specification is Incubating'),
      })
      .prefault({}),
    ...operationsFields,
  })
  .superRefine((config, context) => {
    for (const problem of problemsOf(config)) context.addIssue({ code: 'custom', ...problem })
  })

export type AgentConfig = z.output<typeof agentConfig>

interface Problem {
  readonly path: string[]
  readonly message: string
}

/** What single fields cannot say: proofs and places that do not go together. */
function problemsOf(config: {
  readonly attestor: { readonly joinFile?: string | undefined; readonly x509pop?: unknown }
  readonly trustDomain?: unknown
  readonly server: { readonly address?: string | undefined }
  readonly trustBundle?: string | undefined
  readonly insecureBootstrap: boolean
  readonly socket: string
  readonly adminSocket: string
  readonly experimental: { readonly broker?: BrokerConfig | undefined }
}): Problem[] {
  const problems: Problem[] = []
  const { joinFile, x509pop } = config.attestor
  if (joinFile === undefined) {
    if (config.trustDomain === undefined) problems.push({ path: ['trustDomain'], message: 'is missing' })
    if (config.server.address === undefined) problems.push({ path: ['server', 'address'], message: 'is missing' })
    if (config.trustBundle === undefined && !config.insecureBootstrap) {
      const message = 'is missing: without it, a join file or insecureBootstrap the server cannot be recognised'
      problems.push({ path: ['trustBundle'], message })
    }
  }
  if (config.insecureBootstrap && x509pop !== undefined) {
    const message = 'is refused with attestor.x509pop: whoever answers could pass the proof on to the real server'
    problems.push({ path: ['insecureBootstrap'], message })
  }
  if (config.socket === config.adminSocket) {
    problems.push({ path: ['adminSocket'], message: 'is the socket of the Workload API' })
  }
  const { broker } = config.experimental
  return broker === undefined ? problems : [...problems, ...brokerProblemsOf(broker, config)]
}

function brokerProblemsOf(
  { socket, listen, allow }: BrokerConfig,
  others: { readonly socket: string; readonly adminSocket: string; readonly trustDomain?: unknown },
): Problem[] {
  const problems: Problem[] = []
  const path = ['experimental', 'broker']
  if (socket === undefined && listen === undefined) problems.push({ path, message: 'has neither socket nor listen' })
  if (socket === others.socket || socket === others.adminSocket) {
    problems.push({ path: [...path, 'socket'], message: 'is another socket of this agent' })
  }
  const ids = allow.map(({ id }) => id.toString())
  for (const id of new Set(ids.filter((one, index) => ids.indexOf(one) !== index))) {
    problems.push({ path: [...path, 'allow'], message: `names ${id} twice` })
  }
  const { trustDomain } = others
  for (const [at, { identities = [] }] of allow.entries()) {
    for (const [place, { trustDomain: name }] of identities.entries()) {
      if (name === undefined || !(trustDomain instanceof TrustDomain) || name === trustDomain.name) continue
      const message = `is of ${name}, and workloads of this node are of ${trustDomain.name}`
      problems.push({ path: [...path, 'allow', String(at), 'identities', String(place)], message })
    }
  }
  return problems
}

/** The same with every path absolute; relative ones count from the folder of the configuration file. */
export function withAbsolutePaths(config: AgentConfig, folder: string): AgentConfig {
  const absolute = (path: string): string => (isAbsolute(path) ? path : resolve(folder, path))
  const optional = (path: string | undefined): string | undefined => (path === undefined ? undefined : absolute(path))
  const { x509pop, joinFile, joinTokenFile } = config.attestor
  const { broker } = config.experimental
  return {
    ...config,
    experimental: {
      ...config.experimental,
      broker: broker === undefined ? undefined : { ...broker, socket: optional(broker.socket) },
    },
    dataDir: absolute(config.dataDir),
    runtimeDir: absolute(config.runtimeDir),
    socket: absolute(config.socket),
    adminSocket: absolute(config.adminSocket),
    trustBundle: optional(config.trustBundle),
    attestor: {
      joinFile: optional(joinFile),
      joinTokenFile: optional(joinTokenFile),
      x509pop:
        x509pop === undefined
          ? undefined
          : {
              certificate: absolute(x509pop.certificate),
              privateKey: absolute(x509pop.privateKey),
              intermediates: optional(x509pop.intermediates),
            },
    },
  }
}
