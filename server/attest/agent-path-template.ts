import { SallyportError } from '../../src/errors.ts'
import { SpiffeId } from '../../src/id/spiffe-id.ts'
import type { TrustDomain } from '../../src/id/trust-domain.ts'

export const AGENT_PATH_TEMPLATE_MAX_LENGTH = 1024

/** What a template may name, such as `Fingerprint` or `Subject.CommonName`; a value that a node lacks is undefined. */
export type TemplateFacts = (name: string) => string | undefined

/** `{{ .Subject.CommonName }}` or `{{ index .URISanSelectors "zone" }}`, the part of Go's templates that SPIRE's users need. */
const ACTION = /\{\{-?\s*(?:\.([A-Za-z][A-Za-z0-9_.]*)|index\s+\.([A-Za-z][A-Za-z0-9_]*)\s+"([^"{}]+)")\s*-?\}\}/g

/** Makes the id of an agent of what is known about its node. */
export type AgentPathTemplate = (facts: TemplateFacts, trustDomain: TrustDomain) => SpiffeId

/**
 * Reads a template such as `/{{ .PluginName }}/{{ .Fingerprint }}`; the id lies below `/spire/agent`.
 *
 * @param known the names that it may use; one that ends in `.` stands for everything below it
 * @throws {@link SallyportError} `CONFIG_INVALID`
 */
export function parseAgentPathTemplate(text: string, known: readonly string[]): AgentPathTemplate {
  if (text.length > AGENT_PATH_TEMPLATE_MAX_LENGTH)
    throw unusable(`longer than ${AGENT_PATH_TEMPLATE_MAX_LENGTH} characters`)
  if (/\{\{|\}\}/.test(text.replace(ACTION, '')))
    throw unusable('only {{ .Name }} and {{ index .Name "key" }} are understood')
  const names = [...text.matchAll(ACTION)].map(nameOf)
  const unknown = names.find((name) => !known.some((k) => name === k || (k.endsWith('.') && name.startsWith(k))))
  if (unknown !== undefined) throw unusable(`.${unknown} is not one of ${known.map((name) => `.${name}`).join(' ')}`)
  return (facts, trustDomain) => {
    const path = text.replace(ACTION, (...match: string[]) => valueOf(nameOf(match), facts))
    return SpiffeId.of(trustDomain, `/spire/agent/${path.replace(/^\//, '')}`)
  }
}

const nameOf = ([, plain, map, key]: readonly (string | undefined)[]): string => plain ?? `${map ?? ''}.${key ?? ''}`

function valueOf(name: string, facts: TemplateFacts): string {
  const value = facts(name)
  if (value !== undefined && value !== '') return value
  throw new SallyportError('ATTESTATION_REFUSED', `Cannot attest the node: it has no ${name}, which its id is made of`)
}

const unusable = (why: string): SallyportError =>
  new SallyportError('CONFIG_INVALID', `Cannot read the agent path template: ${why}`)
