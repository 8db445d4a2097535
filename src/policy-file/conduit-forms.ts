import * as z from 'zod'
import type { Conduit, Endpoint, Guard, Predicate } from '../policy/policy-set.ts'
import { anyPattern, condition } from './policy-forms.ts'
import { protocol } from './service-forms.ts'
import { day, LIST_MAX, listOf, name, ports, text } from './text-forms.ts'
import { ALWAYS, validity, window } from './time-forms.ts'
import { adminFunction, sensitivity, target } from './zone-forms.ts'

/** A zone, or some identities of it. */
export const endpoint = z
  .union([
    name,
    z.strictObject({
      zone: name.describe('name of the zone'),
      identities: listOf(anyPattern).optional().describe('patterns; none: everyone in the zone'),
    }),
  ])
  .transform((written): Endpoint =>
    typeof written === 'string'
      ? { zone: written, identities: undefined }
      : { zone: written.zone, identities: written.identities },
  )

export const allowed = z
  .array(
    z.strictObject({
      protocol: protocol.describe('of the listener'),
      ports: ports.describe('of the listener'),
    }),
  )
  .min(1, 'needs at least one protocol')
  .max(100)

export const stage = z.enum(['live', 'draft'])
export const use = z.enum(['normal', 'rare'])

export const conduit = z
  .strictObject({
    id: name.describe('name of the conduit'),
    from: endpoint.describe('who opens connections: a zone, or `{ zone, identities }`'),
    to: endpoint.describe('whom to: a zone, or `{ zone, identities }`'),
    allow: allowed.describe('on which listeners'),
    valid: validity.default(ALWAYS).describe('when it begins and ends'),
    window: window.optional().describe('at which time of the day'),
    owner: text.describe('who answers for it'),
    justification: text.describe('why it exists'),
    review: day.describe('the day by which somebody looks at it again'),
    stage: stage.default('live').describe('draft is evaluated beside the live policy and decides nothing'),
    use: use.default('normal').describe('rare is not reported as unused'),
  })
  .transform(({ window, ...conduit }): Conduit => ({ ...conduit, window }))

const predicate = z.strictObject({
  maxTarget: target.optional().describe('target of the zone at most'),
  minTarget: target.optional().describe('target of the zone at least'),
  zone: name.optional().describe('this zone'),
  notZone: name.optional().describe('any other zone'),
  sensitivity: sensitivity.optional().describe('zones of this sensitivity'),
  admin: adminFunction.optional().describe('zones of this administrative function'),
  notAdmin: adminFunction.optional().describe('zones of another administrative function'),
  crownJewel: z.boolean().optional().describe('zones that are crown jewels, or that are not'),
  identities: listOf(anyPattern).optional().describe('ids that match a pattern'),
  service: name.optional().describe('this service'),
  actions: listOf(name).optional().describe('these actions'),
}) satisfies z.ZodType<Predicate>

export const guard = z
  .strictObject({
    id: name.describe('name of the guard'),
    gate: z.enum(['movement', 'access']).describe('the gate that it closes'),
    from: predicate.describe('who; all keys must hold'),
    to: predicate.describe('whom to; all keys must hold'),
    except: z
      .array(name)
      .max(LIST_MAX)
      .default([])
      .describe('conduits (movement) or rules (access) that it leaves open'),
    hard: z.boolean().default(false).describe('not softened by observe mode'),
    when: condition.optional().describe('condition; an error in it closes the gate'),
  })
  .transform(({ when, ...guard }): Guard => ({ ...guard, when }))
