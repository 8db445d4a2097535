import * as z from 'zod'
import type { Validity, Window } from '../policy/policy-set.ts'
import { instant, timeOfDay, timeZone } from './text-forms.ts'

/** Half-open: from ≤ now < until. */
export const validity = z
  .strictObject({
    from: instant.optional().describe('first instant'),
    until: instant.optional().describe('first instant after the end'),
  })
  .refine(({ from, until }) => from !== undefined || until !== undefined, 'needs from or until')
  .refine(({ from, until }) => from === undefined || until === undefined || from < until, 'from must lie before until')
  .transform(({ from, until }): Validity => ({ from, until }))

export const ALWAYS: Validity = { from: undefined, until: undefined }

/** Daily; `from` later than `to` crosses midnight, equal ends would mean nothing or everything (ZO-22). */
export const window = z
  .strictObject({
    from: timeOfDay.describe('first minute of every day'),
    to: timeOfDay.describe('first minute after it; before `from`: on the next day'),
    tz: timeZone.default('UTC').describe('IANA time zone'),
  })
  .refine(({ from, to }) => from !== to, 'from and to must differ')
  .transform(({ from, to, tz }): Window => ({ fromMinute: from, toMinute: to, tz }))
