import * as z from 'zod'
import type { BreakGlass, GrantTemplate, Rule, Subject } from '../policy/policy-set.ts'
import { allowed, endpoint, stage, use } from './conduit-forms.ts'
import { anyPattern, condition } from './policy-forms.ts'
import { duration, listOf, name, text } from './text-forms.ts'
import { ALWAYS, validity } from './time-forms.ts'

const subject = z
  .union([anyPattern, z.strictObject({ zone: name.describe('everyone in the zone') })])
  .transform((written): Subject => (typeof written === 'string' ? { pattern: written } : written))

export const rule = z
  .strictObject({
    id: name.describe('name of the rule'),
    effect: z.enum(['allow', 'deny']).default('allow').describe('a deny wins over every allow'),
    from: listOf(subject).describe('who: patterns, or `{ zone }`'),
    to: name.describe('the service'),
    actions: listOf(name).describe('the actions'),
    when: condition.optional().describe('condition, such as `src.labels["env"] == "prod"`'),
    valid: validity.default(ALWAYS).describe('when it begins and ends'),
    owner: text.describe('who answers for it'),
    stage: stage.default('live').describe('draft is evaluated beside the live policy and decides nothing'),
    use: use.default('normal').describe('rare is not reported as unused'),
  })
  .transform(({ when, ...rule }): Rule => ({ ...rule, when }))

export const grantTemplate = z
  .strictObject({
    id: name.describe('name of the template'),
    subject: listOf(anyPattern).describe('who may hold a grant'),
    adds: z
      .strictObject({
        movement: z
          .strictObject({
            from: endpoint.describe('zone of the holder'),
            to: endpoint.describe('zone of the service'),
            allow: allowed.describe('on which listeners'),
          })
          .describe('the path that a grant opens'),
        access: z
          .strictObject({ to: name.describe('the service'), actions: listOf(name).describe('the actions') })
          .describe('the rights that a grant gives'),
      })
      .describe('what a grant adds'),
    maxDuration: duration.describe('the longest grant, at most 8h'),
    approvals: z
      .strictObject({
        count: z.int().min(1).max(100).describe('how many people must approve'),
        from: text.describe('who may approve, such as `group:data-owners`'),
        notSelf: z.literal(true).default(true).describe('nobody approves what they ask for'),
      })
      .describe('who approves'),
    requires: z
      .array(z.enum(['reason', 'ticket']))
      .default(['reason'])
      .describe('what a request must name'),
  })
  .transform(({ adds, maxDuration, ...template }): GrantTemplate => ({
    ...template,
    ...adds,
    maxDurationMs: maxDuration,
  }))

const OVERRIDES_ERROR =
  'can be default-deny and rules: identity, lifecycle, quarantine and hard guards are never overridden'

export const breakGlass = z
  .strictObject({
    id: name.describe('name of the declaration'),
    activate: text.describe('who may start it, such as `group:incident-commanders`'),
    approvals: z.int().min(1).max(100).default(2).describe('how many people start it, at least 2'),
    maxDuration: duration.describe('the longest session, at most 60m'),
    from: z.union([name, listOf(name)]).describe('zone or zones of who goes'),
    to: z.union([name, listOf(name)]).describe('zone or zones where to'),
    overrides: z
      .array(z.enum(['default-deny', 'rules'], OVERRIDES_ERROR))
      .min(1, 'needs at least one')
      .describe('what it overrides: default-deny opens paths, rules gives rights'),
    never: z
      .array(z.enum(['quarantine', 'hard-guards', 'identity']))
      .default(['quarantine', 'hard-guards', 'identity'])
      .describe('what it never overrides, for the reader: all three hold always'),
  })
  .transform(({ maxDuration, from, to, ...declaration }): BreakGlass => ({
    ...declaration,
    from: typeof from === 'string' ? [from] : from,
    to: typeof to === 'string' ? [to] : to,
    maxDurationMs: maxDuration,
  }))
