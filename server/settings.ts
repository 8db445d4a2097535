import { readFileSync } from 'node:fs'
import { SallyportError } from '../src/errors.ts'
import type { WireLimits } from '../src/wire/limits.ts'
import { readPemCertificates } from '../src/x509/pem.ts'
import type { RateLimitsConfig } from './access/rate-limits.ts'
import type { NodeAttestorDeps } from './attest/catalog.ts'
import { X509POP_DEFAULTS } from './attest/x509pop.ts'
import type { AuthorityConfig } from './authority/authority-config.ts'
import type { IssuerConfig } from './authority/issuer-deps.ts'
import type { ServerConfig } from './config.ts'
import type { DecisionRetention } from './entries/prune.ts'
import type { ApprovalLimits } from './lifecycle/approval-limits.ts'
import { secondSignerOf } from './policy/open-policy.ts'
import type { SecondSigner } from './policy/policy-keys.ts'
import type { DecisionRoom } from './store/decision-rows.ts'

// What server.yaml says, in the words of each part.

/** After a jump the wall clock must run evenly for so long before anything is destroyed. */
export const CLOCK_SETTLE_SECONDS = 600
/** Others look at our bundle at least this often. */
const REFRESH_HINT_SECONDS = 300

export function x509popSettings({ attestors }: ServerConfig): NodeAttestorDeps['x509pop'] {
  if (attestors.x509pop === undefined) return undefined
  const { caBundle, agentPathTemplate, maxIntermediates, maxRsaKeySize } = attestors.x509pop
  const authorities = readPemCertificates(readPem(caBundle))
  return {
    authorities: () => authorities,
    agentPathTemplate: agentPathTemplate ?? X509POP_DEFAULTS.agentPathTemplate,
    maxIntermediates,
    maxRsaBits: maxRsaKeySize,
  }
}

export const secondSignerSettings = ({ policy }: ServerConfig): SecondSigner[] =>
  policy.secondSigners.map((path) => secondSignerOf(readPem(path, 'policy.secondSigners'), path))

export const approvalLimits = ({ policy: { approvals } }: ServerConfig): ApprovalLimits => ({
  grantMs: approvals.grant * 1000,
  breakGlassMs: approvals.breakGlass * 1000,
})

export const decisionLimits = ({ policy: { decisions } }: ServerConfig): DecisionRetention => ({
  retentionMs: decisions.retention * 1000,
  ...decisionRoom(decisions),
})

/** How much of decisions is kept. */
export const decisionRoom = ({
  maxRecords,
  maxCounters,
  maxBytes,
  maxBytesPerAgent,
}: ServerConfig['policy']['decisions']): DecisionRoom => ({
  ...{ maxRecords, maxCounters, maxBytes, maxBytesPerAgent },
})

function readPem(path: string, field = 'attestors.x509pop.caBundle'): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const why = (error as NodeJS.ErrnoException).code ?? 'failed'
    throw new SallyportError('CONFIG_UNREADABLE', `Cannot read ${path} (${field}): ${why}`, {
      cause: error,
    })
  }
}

export const authoritySettings = ({ ca, svid, experimental }: ServerConfig): AuthorityConfig => ({
  x509: { keyType: ca.keyType, ttlSeconds: ca.ttl, subject: withoutUndefined(ca.subject) },
  jwt: { keyType: svid.jwtKeyType, ttlSeconds: ca.ttl },
  wit: experimental.witSvid
    ? { keyType: svid.witKeyType, ttlSeconds: ca.ttl, longestSvidSeconds: svid.witTtl ?? svid.x509Ttl }
    : undefined,
  longestX509SvidSeconds: Math.max(svid.x509Ttl, svid.agentTtl),
  longestJwtSvidSeconds: svid.jwtTtl,
  refreshHintSeconds: REFRESH_HINT_SECONDS,
  clockSettleSeconds: CLOCK_SETTLE_SECONDS,
})

export const issuerSettings = ({ trustDomain, ca, svid }: ServerConfig): IssuerConfig => ({
  trustDomain,
  x509TtlSeconds: svid.x509Ttl,
  agentTtlSeconds: svid.agentTtl,
  jwtTtlSeconds: svid.jwtTtl,
  caTtlSeconds: ca.ttl,
  subject: withoutUndefined(svid.subject),
  jwtIssuer: svid.jwtIssuer,
  witTtlSeconds: svid.witTtl ?? svid.x509Ttl,
  witIssuer: svid.witIssuer,
})

/** What is allowed and should be thought over, as sentences for the log. */
export function warningsOf({ svid, experimental }: ServerConfig): string[] {
  const isDiscoverable = experimental.witSvid && /^https:/i.test(svid.witIssuer ?? '')
  return isDiscoverable
    ? [
        'svid.witIssuer is an https URL: whoever finds keys for OpenID Connect there may take a WIT-SVID for an ID token',
      ]
    : []
}

export const rateLimitSettings = ({
  limits: { signing, attestation, downstream },
}: ServerConfig): RateLimitsConfig => ({
  signing: { ...signing, maxWaitSeconds: signing.maxWait },
  attestation: { ...attestation, maxWaitSeconds: attestation.maxWait },
  downstream: { ...downstream, maxWaitSeconds: downstream.maxWait },
})

export const wireLimitSettings = ({ limits }: ServerConfig): Partial<WireLimits> => ({
  connections: limits.connections,
  streamsPerConnection: limits.streamsPerConnection,
  handshakesPerSecond: limits.handshakesPerSecond,
  handshakeBurst: limits.handshakeBurst,
})

function withoutUndefined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as never
}
