import { createPublicKey } from 'node:crypto'
import type { Bundle } from '../../src/bundle/bundle.ts'
import type { RegistrationEntry } from '../../src/entry/registration-entry.ts'
import { parseSelector } from '../../src/entry/selector.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import { TrustDomain } from '../../src/id/trust-domain.ts'
import type { AuditEvent } from '../../server/audit/record.ts'
import type { AttestedAgent, AuthorityRow, JoinToken, Mutation, Transaction } from '../../server/store/store.ts'

/** Objects for tests of stores; every field can be said otherwise. */
export const anId = (path: string): SpiffeId => SpiffeId.parse(`spiffe://example.org${path}`)

export const anInstant = (seconds: number): Date => new Date(Date.UTC(2026, 0, 1) + seconds * 1000)

export function anEntry(id: string, fields: Partial<RegistrationEntry> = {}): RegistrationEntry {
  return {
    id,
    spiffeId: anId(`/workload/${id}`),
    parentId: anId('/node/1'),
    selectors: [parseSelector('unix:uid:1000')],
    x509TtlSeconds: 0,
    jwtTtlSeconds: 0,
    federatesWith: [],
    admin: false,
    downstream: false,
    expiresAt: undefined,
    dnsNames: [],
    hint: '',
    storeSvid: false,
    x509PrefetchDisabled: false,
    jwtIncludesJti: false,
    labels: {},
    createdAt: anInstant(0),
    revisionNumber: 0,
    ...fields,
  }
}

/** An entry with no field at its usual value. */
export function aFullEntry(id: string): RegistrationEntry {
  return anEntry(id, {
    selectors: ['unix:uid:1000', 'unix:path:/usr/bin/a:b', 'docker:label:a b=ü'].map(parseSelector),
    x509TtlSeconds: 600,
    jwtTtlSeconds: 60,
    federatesWith: [TrustDomain.parse('other.org'), TrustDomain.parse('third.org')],
    admin: true,
    downstream: true,
    expiresAt: anInstant(99),
    dnsNames: ['a.internal', 'b.internal'],
    hint: 'ünïcode "hint"',
    storeSvid: true,
    x509PrefetchDisabled: true,
    jwtIncludesJti: true,
    labels: { env: 'prod', pci: 'true' },
  })
}

export function anAgent(path: string, fields: Partial<AttestedAgent> = {}): AttestedAgent {
  return {
    spiffeId: anId(`/spire/agent/${path}`),
    attestationType: 'join_token',
    serialNumber: '1234567890123456789012',
    pendingSerialNumber: undefined,
    pendingExpiresAt: undefined,
    expiresAt: anInstant(3600),
    selectors: [parseSelector('join_token:abc')],
    banned: false,
    canReattest: false,
    version: '1.0.0',
    attestedAt: anInstant(0),
    keyHashes: ['00ff'],
    revisionNumber: 0,
    ...fields,
  }
}

export function aToken(hash: string, fields: Partial<JoinToken> = {}): JoinToken {
  return { hash, expiresAt: anInstant(600), aliasId: undefined, addressRange: undefined, spent: undefined, ...fields }
}

const ed25519Key = createPublicKey(
  '-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n',
)

/** A bundle with one JWT key and no X.509 authority, which would need a certificate. */
export function aBundle(trustDomain: string, sequenceNumber: number, fields: Partial<Bundle> = {}): Bundle {
  return {
    trustDomain: TrustDomain.parse(trustDomain),
    x509Authorities: [],
    jwtAuthorities: [
      { keyId: `key-${sequenceNumber}`, publicKey: ed25519Key, expiresAt: anInstant(7200), tainted: false },
    ],
    witAuthorities: [],
    refreshHintSeconds: 300,
    sequenceNumber,
    ...fields,
  }
}

export function anAuthority(authorityId: string, fields: Partial<AuthorityRow> = {}): AuthorityRow {
  return {
    serverId: 'server-1',
    kind: 'x509',
    authorityId,
    state: 'prepared',
    keyName: `key-${authorityId}`,
    keyType: 'ec-p256',
    publicDer: [Buffer.from('der'), Buffer.from([0, 255])],
    notBefore: anInstant(0),
    notAfter: anInstant(86_400),
    tainted: false,
    publishedRevision: undefined,
    changedAt: anInstant(1),
    ...fields,
  }
}

export const anEvent = (type: string, facts: AuditEvent['facts'] = {}, at = anInstant(5)): AuditEvent => ({
  type,
  at,
  facts,
})

/** Mutations that belong together, without audit. */
export const doing = (...mutations: readonly Mutation[]): Transaction => ({ mutations, audit: [] })

export const creating = (...entries: readonly RegistrationEntry[]): Transaction =>
  doing(...entries.map((entry) => ({ kind: 'entry.create', entry }) as const))

export const recording = (...audit: readonly AuditEvent[]): Transaction => ({ mutations: [], audit })
