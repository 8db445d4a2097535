import * as z from 'zod'
import type { PolicySet, PolicySettings } from '../policy/policy-set.ts'
import { conduit, guard } from './conduit-forms.ts'
import { breakGlass, grantTemplate, rule } from './rule-forms.ts'
import { service } from './service-forms.ts'
import { invariant, policyTest } from './test-forms.ts'
import { duration, name, text, trustDomain } from './text-forms.ts'
import { federation, zone } from './zone-forms.ts'

const settings = z
  .strictObject({
    pathProfile: z.literal('strict').default('strict').describe('ambiguous paths are refused, never repaired'),
    connection: z
      .strictObject({
        maxAge: duration.prefault('1h').describe('life of a connection'),
        tlsResumption: z.literal('off').default('off').describe('a resumed session would skip the certificate'),
        drain: duration.prefault('5s').describe('how long a connection may finish what it does'),
      })
      .prefault({})
      .describe('connections'),
    bundle: z
      .strictObject({
        maxStale: duration.prefault('10m').describe('age of the policy from which on there is an alarm'),
        hardStale: duration
          .optional()
          .describe('age from which on destinations refuse; 24h when left out, 5m for target 3 and 4 in any case'),
        onHardStale: z
          .enum(['deny', 'keep'])
          .default('deny')
          .describe('keep goes on with the old policy, for target 0 to 2'),
      })
      .prefault({})
      .describe('the policy at the peers'),
    x509Ttl: z
      .strictObject({
        1: duration.optional().describe('for zones of target 1'),
        2: duration.optional().describe('for zones of target 2'),
        3: duration.optional().describe('for zones of target 3'),
        4: duration.optional().describe('for zones of target 4'),
      })
      .prefault({})
      .describe('longest life of X509-SVIDs by target of the zone'),
  })
  .transform(({ pathProfile, connection, bundle, x509Ttl }): PolicySettings => ({
    pathProfile,
    connection: { maxAgeMs: connection.maxAge, drainMs: connection.drain },
    bundle: { maxStaleMs: bundle.maxStale, hardStaleMs: bundle.hardStale, onHardStale: bundle.onHardStale },
    x509TtlMs: Object.fromEntries(Object.entries(x509Ttl).filter(([, ttl]) => ttl !== undefined)),
  }))

/** The most objects of one kind in a file. */
export const OBJECTS_MAX = 500_000

function objects<T extends z.ZodType>(item: T) {
  return z.array(item).max(OBJECTS_MAX).default([])
}

/** The whole file as it is written; what it becomes is a `PolicySet`. @see zones.md §3.15 */
export const fileSchema = z
  .strictObject({
    apiVersion: z.literal('sallyport.dev/v1').describe('version of this format'),
    kind: z.literal('PolicySet').describe('what the file holds'),
    metadata: z
      .strictObject({
        name: name.describe('name of the policy'),
        trustDomain: trustDomain.describe('the trust domain that it is for'),
        owner: text.describe('who answers for it'),
      })
      .describe('whose policy it is'),
    settings: settings.prefault({}).describe('what holds for all of it'),
    federation: objects(federation).describe('foreign trust domains'),
    zones: objects(zone).describe('the parts of the system'),
    services: objects(service).describe('what can be called'),
    conduits: objects(conduit).describe('which zone may open connections to which'),
    guards: objects(guard).describe('what nobody can allow'),
    rules: objects(rule).describe('which identity may do what'),
    grantTemplates: objects(grantTemplate).describe('rights for a while, on request'),
    breakGlass: objects(breakGlass).describe('emergency access, started by two people'),
    tests: objects(policyTest).describe('requests and what must come out'),
    invariants: objects(invariant).describe('what must hold whatever the rules are'),
  })
  .transform(({ metadata, ...file }): PolicySet => {
    const { apiVersion: _version, kind: _kind, ...parts } = file
    return { ...metadata, ...parts }
  })
