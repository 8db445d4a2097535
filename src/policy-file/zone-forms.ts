import * as z from 'zod'
import type { Federation, Member, Zone } from '../policy/policy-set.ts'
import { ownPattern } from './policy-forms.ts'
import { duration, LIST_MAX, labels, name, port, selector, text, trustDomain } from './text-forms.ts'

export const target = z.literal([0, 1, 2, 3, 4])
export const sensitivity = z.enum(['public', 'internal', 'confidential', 'restricted'])
export const adminFunction = z.enum(['none', 'operate', 'control-plane'])

const member = z
  .strictObject({
    spiffe: ownPattern.optional().describe('pattern of SPIFFE IDs of the own trust domain, such as `/ns/web/**`'),
    entryLabel: labels.optional().describe('labels that the registration entries have; all must hold'),
    selector: selector
      .optional()
      .describe('a selector that every entry of the identity requires, such as `unix:group:sre`'),
  })
  .refine((keys) => Object.keys(keys).length > 0, 'needs spiffe, entryLabel or selector') satisfies z.ZodType<Member>

export const zone = z
  .strictObject({
    id: name.describe('name of the zone'),
    target: target.describe('IEC 62443 target level SL-T, 1 to 4; 0 is outside'),
    sensitivity: sensitivity.describe('of the data in it'),
    admin: adminFunction.default('none').describe('administrative function of who is in it'),
    mode: z
      .enum(['observe', 'enforce'])
      .default('enforce')
      .describe('observe lets through what it would refuse, and says so'),
    enforceOnly: z.array(port).max(LIST_MAX).default([]).describe('ports that are enforced although the zone observes'),
    owner: text.describe('who answers for it'),
    crownJewel: z.boolean().default(false).describe('what must not be reached by accident'),
    members: z.array(member).max(LIST_MAX).default([]).describe('who is in it'),
    audiences: z
      .array(text)
      .max(LIST_MAX)
      .default([])
      .describe('JWT-SVID audiences that this zone of target 0 owns: a token for one needs a conduit to the zone'),
    hardStale: duration.optional().describe('age of the policy from which on the zone refuses; 5m for target 3 and 4'),
  })
  .transform(({ hardStale, ...zone }): Zone => ({ ...zone, hardStaleMs: hardStale }))

export const federation = z.strictObject({
  trustDomain: trustDomain.describe('name of the foreign trust domain'),
  accept: z
    .array(ownPattern)
    .min(1, 'needs at least one pattern')
    .max(LIST_MAX)
    .describe('patterns of its paths, such as `/billing/**`; other ids stay unknown'),
  zone: name.describe('zone of target 0 that they are in'),
}) satisfies z.ZodType<Federation>
