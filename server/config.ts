import { isAbsolute, resolve } from 'node:path'
import * as z from 'zod'
import { days, fieldTypes, hours, minutes, printDuration, seconds } from '../src/config/field-types.ts'
import { operationsFields } from '../src/config/operations-fields.ts'
import { keyTypes } from '../src/key/key-type.ts'
import { defaultLimits } from '../src/wire/limits.ts'

/** An authority must outlive what it signs by so much that it can be replaced in time, with agents that are slow to hear of it. */
export const AUTHORITY_LIVES_MIN = 3

/** How long requests wait for approval: a day for what somebody plans, half an hour for what somebody needs now. */
export const GRANT_WAITS_HOURS = 24
export const BREAK_GLASS_WAITS_MINUTES = 30

const MEBIBYTE = 1024 * 1024
const count = (most: number): z.ZodNumber => z.number().int().min(1).max(most)
const ca = z
  .strictObject({
    keyType: z.enum(keyTypes).default('ec-p256').describe('kind of the keys that sign X509-SVIDs'),
    ttl: fieldTypes.duration
      .prefault(days(7))
      .describe('life of an authority; it is replaced by itself well before its end'),
    subject: z
      .strictObject({
        country: z.string().length(2).optional().describe('C of the subject of CA certificates'),
        organization: z.string().min(1).max(64).default('Sallyport').describe('O of that subject'),
        commonName: z.string().min(1).max(64).optional().describe('CN of that subject'),
      })
      .prefault({}),
  })
  .prefault({})

const svid = z
  .strictObject({
    x509Ttl: fieldTypes.duration.prefault(hours(1)).describe('life of an X509-SVID whose entry names none'),
    jwtTtl: fieldTypes.duration.prefault(minutes(5)).describe('life of a JWT-SVID whose entry names none'),
    agentTtl: fieldTypes.duration.prefault(hours(1)).describe('life of the X509-SVID of an agent'),
    subject: z
      .strictObject({
        country: z.string().length(2).optional().describe('C of the subject of X509-SVIDs'),
        organization: z
          .string()
          .min(1)
          .max(64)
          .optional()
          .describe(
            'O of that subject; left empty when nothing is set, which clients on Rust’s spiffe 0.6 cannot read',
          ),
        commonName: z.string().min(1).max(64).optional().describe('CN of that subject, the same for every workload'),
      })
      .prefault({}),
    jwtIssuer: z.string().min(1).max(2048).optional().describe('the iss claim of JWT-SVIDs; left out when not set'),
    jwtKeyType: z.enum(keyTypes).default('ec-p256').describe('kind of the keys that sign JWT-SVIDs'),
    witTtl: fieldTypes.duration
      .optional()
      .describe('life of a WIT-SVID whose entry names no life for its X509-SVIDs; that of these when not set'),
    witIssuer: z
      .string()
      .min(1)
      .max(2048)
      .optional()
      .describe('the iss claim of WIT-SVIDs; left out when not set, and better no https URL'),
    witKeyType: z.enum(keyTypes).default('ec-p256').describe('kind of the keys that sign WIT-SVIDs'),
  })
  .prefault({})

/** What stands on documents that are not stable yet. */
const experimental = z
  .strictObject({
    witSvid: z
      .boolean()
      .default(false)
      .describe('issue WIT-SVIDs and publish their keys to agents; the specification is Incubating'),
  })
  .prefault({})

const attestors = z
  .strictObject({
    joinToken: z
      .strictObject({
        rejoinWindow: fieldTypes.duration
          .prefault(days(30))
          .describe('how long after the end of its SVID an agent that joined by token may return with its last key'),
      })
      .prefault({}),
    x509pop: z
      .strictObject({
        caBundle: fieldTypes.path.describe('PEM file of the authorities that certify nodes'),
        agentPathTemplate: z
          .string()
          .max(1024)
          .optional()
          .describe('path of the ids of agents below /spire/agent, such as /{{ .PluginName }}/{{ .Fingerprint }}'),
        maxIntermediates: z
          .number()
          .int()
          .min(0)
          .max(9)
          .default(4)
          .describe('intermediate certificates that a node may send'),
        maxRsaKeySize: z
          .number()
          .int()
          .min(2048)
          .max(8192)
          .default(8192)
          .describe('largest RSA key of a node, in bits'),
      })
      .optional()
      .describe('attestation of nodes by a certificate that they hold; off when not set'),
  })
  .prefault({})

const limits = z
  .strictObject({
    signing: z
      .strictObject({
        perSecond: count(1_000_000).default(2000).describe('signatures a second for one agent; it waits for more'),
        burst: count(1_000_000).default(4000).describe('signatures that one agent may ask for at once'),
        maxWait: fieldTypes.duration.prefault(seconds(10)).describe('how long an agent waits before it is refused'),
      })
      .prefault({}),
    attestation: z
      .strictObject({
        perAddress: count(1_000_000)
          .default(100)
          .describe('attestations a second from one address (of IPv6: one network of 64 bits); they wait for more'),
        total: count(1_000_000).default(1000).describe('attestations a second in all'),
        maxWait: fieldTypes.duration
          .prefault(seconds(5))
          .describe('how long an attestation waits before it is refused'),
      })
      .prefault({}),
    downstream: z
      .strictObject({
        perSecond: count(1_000_000)
          .default(10)
          .describe('authorities a second that one downstream server may ask for or publish; it waits for more'),
        burst: count(1_000_000).default(50).describe('authorities that one downstream server may ask for at once'),
        maxWait: fieldTypes.duration
          .prefault(seconds(5))
          .describe('how long a downstream server waits before it is refused'),
      })
      .prefault({}),
    connections: count(1_000_000).default(defaultLimits.connections).describe('open connections; more are refused'),
    streamsPerConnection: count(100_000)
      .default(defaultLimits.streamsPerConnection)
      .describe('calls under way on one connection; more are refused'),
    handshakesPerSecond: count(1_000_000)
      .default(defaultLimits.handshakesPerSecond)
      .describe('new TLS connections a second from one address (of IPv6: one network of 64 bits); more are refused'),
    handshakeBurst: count(1_000_000)
      .default(defaultLimits.handshakeBurst)
      .describe('new TLS connections at once from one address'),
  })
  .prefault({})

/** Who a policy may name as a member of a group: a SPIFFE ID, or a user of the admin socket. */
const principal = z
  .string()
  .max(2048)
  .regex(/^(?:spiffe:\/\/.+|uid:\d{1,10})$/, 'must be a SPIFFE ID or uid:<number>')

const policy = z
  .strictObject({
    groups: z
      .record(
        z.string().regex(/^[A-Za-z0-9._-]{1,100}$/, 'must be a name of A-Z a-z 0-9 . _ -'),
        z.array(principal).max(1000),
      )
      .default({})
      .describe(
        'who is in the groups that policies name (`group:<name>`): SPIFFE IDs, or users of the admin socket as uid:1000',
      ),
    approvals: z
      .strictObject({
        grant: fieldTypes.duration
          .prefault(hours(GRANT_WAITS_HOURS))
          .describe('how long a request for a grant waits for those who may approve it'),
        breakGlass: fieldTypes.duration
          .prefault(minutes(BREAK_GLASS_WAITS_MINUTES))
          .describe('how long a break-glass session waits for its second person'),
      })
      .prefault({}),
    secondSigners: z
      .array(fieldTypes.path)
      .max(10)
      .default([])
      .describe(
        'PEM files of Ed25519 public keys, kept on other machines, that sign policies which touch a zone of target 4',
      ),
    decisions: z
      .strictObject({
        retention: fieldTypes.duration.prefault(days(90)).describe('how long decision records and counters are kept'),
        maxRecords: count(100_000_000)
          .default(1_000_000)
          .describe('decision records that are kept; more go from the agent that holds most, its oldest first'),
        maxCounters: count(100_000_000)
          .default(1_000_000)
          .describe('decision counters that are kept; more go as records do'),
        maxBytesPerAgent: count(2 ** 50)
          .min(MEBIBYTE)
          .default(64 * MEBIBYTE)
          .describe(
            'bytes of decision records of one agent that are kept, and as many of its counters; more go from the workload that holds most, its oldest first',
          ),
        maxBytes: count(2 ** 50)
          .min(MEBIBYTE)
          .default(1024 * MEBIBYTE)
          .describe(
            'bytes of decision records of all agents that are kept, and as many of counters; more go from the agent that holds most',
          ),
      })
      .prefault({}),
  })
  .prefault({})

/** The configuration of a server. Durations are seconds once read. */
export const serverConfig = z
  .strictObject({
    trustDomain: fieldTypes.trustDomain.describe('the trust domain that this server is the authority of'),
    dataDir: fieldTypes.path.default('data').describe('folder of the database and the keys (made with mode 0700)'),
    listen: fieldTypes.address.default('0.0.0.0:8081').describe('where agents connect'),
    advertisedAddress: fieldTypes.address
      .optional()
      .describe('host:port that agents are told to connect to; the name of this machine and the port when not set'),
    adminSocket: fieldTypes.socketPath
      .default('admin.sock')
      .describe('unix socket for administration, in a folder of mode 0700'),
    adminUids: z
      .array(z.number().int().min(0))
      .max(100)
      .default([])
      .describe('users who may use the admin socket, besides the one that runs the server and root'),
    adminIds: z
      .array(fieldTypes.spiffeId)
      .max(1000)
      .default([])
      .describe('SPIFFE IDs with all rights of an administrator'),
    admins: z
      .array(
        z.strictObject({
          id: fieldTypes.spiffeId.describe('SPIFFE ID of an administrator who is bound to zones'),
          zones: z.array(z.string().min(1).max(100)).min(1).max(1000).describe('the zones that it may read and change'),
        }),
      )
      .max(1000)
      .default([])
      .describe('administrators with rights in some zones only'),
    policy,
    ca,
    svid,
    experimental,
    attestors,
    limits,
    audit: z
      .strictObject({ retention: fieldTypes.duration.prefault(days(90)).describe('how long audit records are kept') })
      .prefault({}),
    agents: z
      .strictObject({
        purgeExpiredAfter: fieldTypes.duration
          .prefault(days(45))
          .describe('agents whose SVID ended longer ago are removed, with the aliases that only they had'),
      })
      .prefault({}),
    ...operationsFields,
  })
  .superRefine((config, context) => {
    for (const problem of problemsOf(config)) context.addIssue({ code: 'custom', ...problem })
  })

export type ServerConfig = z.output<typeof serverConfig>

interface Problem {
  readonly path: string[]
  readonly message: string
}

/** What single fields cannot say: lives that do not fit into each other. */
function problemsOf(config: {
  readonly ca: { readonly ttl: number }
  readonly svid: {
    readonly x509Ttl: number
    readonly jwtTtl: number
    readonly witTtl?: number | undefined
    readonly agentTtl: number
  }
  readonly attestors: { readonly joinToken: { readonly rejoinWindow: number } }
  readonly agents: { readonly purgeExpiredAfter: number }
}): Problem[] {
  const problems: Problem[] = []
  const { ttl } = config.ca
  const longest = ttl / AUTHORITY_LIVES_MIN
  for (const name of ['x509Ttl', 'jwtTtl', 'witTtl', 'agentTtl'] as const) {
    const life = config.svid[name]
    if (life === undefined) continue
    if (life < 1) problems.push({ path: ['svid', name], message: 'must be a second or longer' })
    if (life <= longest) continue
    const message = `${printDuration(life)} does not fit: authorities live ${printDuration(ttl)} (ca.ttl), which must be at least ${AUTHORITY_LIVES_MIN} times as long`
    problems.push({ path: ['svid', name], message })
  }
  const { rejoinWindow } = config.attestors.joinToken
  if (config.agents.purgeExpiredAfter < rejoinWindow) {
    const message = `is shorter than attestors.joinToken.rejoinWindow (${printDuration(rejoinWindow)}): agents would be forgotten before they may return`
    problems.push({ path: ['agents', 'purgeExpiredAfter'], message })
  }
  return problems
}

/** The same with every path absolute; relative ones count from the folder of the configuration file. */
export function withAbsolutePaths(config: ServerConfig, folder: string): ServerConfig {
  const absolute = (path: string): string => (isAbsolute(path) ? path : resolve(folder, path))
  const { x509pop } = config.attestors
  return {
    ...config,
    dataDir: absolute(config.dataDir),
    adminSocket: absolute(config.adminSocket),
    policy: { ...config.policy, secondSigners: config.policy.secondSigners.map(absolute) },
    attestors: {
      ...config.attestors,
      x509pop: x509pop === undefined ? undefined : { ...x509pop, caBundle: absolute(x509pop.caBundle) },
    },
  }
}
