import { printDuration } from '../config/field-types.ts'
import { printYaml } from '../config/print-yaml.ts'
import type { Action, Endpoint, GrantTemplate, Matcher, PolicySet, Validity, Window } from '../policy/policy-set.ts'

/** A policy as a file, from which `readPolicy` makes the same policy. Comments of the file that it came from are lost. */
export function printPolicy({ name, trustDomain, owner, settings, ...set }: PolicySet): string {
  const { connection, bundle } = settings
  return printYaml({
    apiVersion: 'sallyport.dev/v1',
    kind: 'PolicySet',
    metadata: { name, trustDomain, owner },
    settings: {
      pathProfile: settings.pathProfile,
      connection: { maxAge: duration(connection.maxAgeMs), tlsResumption: 'off', drain: duration(connection.drainMs) },
      bundle: {
        maxStale: duration(bundle.maxStaleMs),
        hardStale: optionalDuration(bundle.hardStaleMs),
        onHardStale: bundle.onHardStale,
      },
      x509Ttl: Object.fromEntries(Object.entries(settings.x509TtlMs).map(([target, ms]) => [target, duration(ms)])),
    },
    federation: set.federation,
    zones: set.zones.map(({ hardStaleMs, ...zone }) => ({ ...zone, hardStale: optionalDuration(hardStaleMs) })),
    services: set.services.map(({ actions, ...service }) => ({
      ...service,
      actions: Object.fromEntries(actions.map((action) => [action.name, actionForm(action)])),
    })),
    conduits: set.conduits.map(({ valid, window, review, ...conduit }) => ({
      ...conduit,
      from: endpointForm(conduit.from),
      to: endpointForm(conduit.to),
      valid: validityForm(valid),
      window: windowForm(window),
      review: instant(review).slice(0, 10),
    })),
    guards: set.guards,
    rules: set.rules.map(({ valid, from, ...rule }) => ({
      ...rule,
      from: from.map((subject) => ('zone' in subject ? subject : subject.pattern)),
      valid: validityForm(valid),
    })),
    grantTemplates: set.grantTemplates.map(templateForm),
    breakGlass: set.breakGlass.map(({ maxDurationMs, ...rest }) => ({ ...rest, maxDuration: duration(maxDurationMs) })),
    tests: set.tests.map(({ at, ...test }) => ({ ...test, at: at === undefined ? undefined : instant(at) })),
    invariants: set.invariants,
  })
}

const duration = (ms: number): string => (ms % 1000 === 0 ? printDuration(ms / 1000) : `${ms}ms`)
const optionalDuration = (ms: number | undefined): string | undefined => (ms === undefined ? undefined : duration(ms))
const instant = (ms: number): string => new Date(ms).toISOString()

const endpointForm = ({ zone, identities }: Endpoint) => (identities === undefined ? zone : { zone, identities })

function validityForm({ from, until }: Validity) {
  if (from === undefined && until === undefined) return undefined
  return {
    from: from === undefined ? undefined : instant(from),
    until: until === undefined ? undefined : instant(until),
  }
}

function windowForm(window: Window | undefined) {
  if (window === undefined) return undefined
  const clock = (minute: number): string =>
    `${String(Math.floor(minute / 60)).padStart(2, '0')}:${String(minute % 60).padStart(2, '0')}`
  return { from: clock(window.fromMinute), to: clock(window.toMinute), tz: window.tz }
}

function actionForm({ match, pivot }: Action) {
  const matchers = match.map(matcherForm)
  return pivot ? matchers : { match: matchers, pivot }
}

function matcherForm(matcher: Matcher) {
  if (matcher.kind === 'connect') return { connect: true }
  const { kind: _kind, ...form } = matcher
  return form
}

const templateForm = ({ movement, access, maxDurationMs, ...template }: GrantTemplate) => ({
  ...template,
  adds: {
    movement: { ...movement, from: endpointForm(movement.from), to: endpointForm(movement.to) },
    access,
  },
  maxDuration: duration(maxDurationMs),
})
