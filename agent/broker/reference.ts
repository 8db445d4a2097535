import { SallyportError } from '../../src/errors.ts'
import { decodeMessage } from '../../src/wire/decode-message.ts'
import type { MessageType } from '../../src/wire/message-type.ts'
import {
  kubernetesObjectReferenceType,
  workloadPidReferenceType,
  type KubernetesObjectReference,
  type WorkloadReference,
} from '../../src/wire/messages/spiffe-broker.ts'
import { typeNameOf } from '../../src/wire/status.ts'
import { scopeOf } from './kubernetes-scopes.ts'

/** A workload as a broker names it. Holding one is proof that it is well formed; whether there is such a workload is another question. */
export type Reference =
  | { readonly kind: 'pid'; readonly pid: number }
  | {
      readonly kind: 'kubernetes'
      readonly plural: string
      /** `core` for the group without a name. */
      readonly group: string
      /** Undefined: found by `uid`. */
      readonly key: { readonly namespace: string | undefined; readonly name: string } | undefined
      /** Lower case. With a key, the object of that name must have it. */
      readonly uid: string | undefined
    }

/** The kinds of references, as the configuration names them. */
export type ReferenceKind = Reference['kind']

type KubernetesReference = Extract<Reference, { kind: 'kubernetes' }>

/**
 * Reads a reference as it came.
 *
 * @throws {@link SallyportError} `WORKLOAD_REFERENCE_INVALID`
 * @see SPIFFE_Broker_API.md, "Workload references" (BA-01 to BA-03)
 */
export function parseReference(message: WorkloadReference | null): Reference {
  const { type_url: typeUrl, value } = message?.reference ?? { type_url: '', value: Buffer.alloc(0) }
  switch (typeNameOf(typeUrl)) {
    case '':
      throw invalid('it is missing')
    case workloadPidReferenceType.name:
      return pidReference(packed(workloadPidReferenceType, value).pid)
    case kubernetesObjectReferenceType.name:
      return kubernetesReference(packed(kubernetesObjectReferenceType, value))
    default:
      throw invalid(`its type ${quoted(typeNameOf(typeUrl))} is not known here`)
  }
}

function packed<T>(type: MessageType<T>, value: Buffer): T {
  try {
    return decodeMessage(type, value)
  } catch (cause) {
    throw invalid(`it is no ${type.name}`, cause)
  }
}

function pidReference(pid: number): Reference {
  if (pid > 0) return { kind: 'pid', pid }
  throw invalid(`${pid} is not the number of a process`)
}

// Names of Kubernetes, each as long as it may be there.
const LABEL = /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/
const NAMESPACE = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/
const SUBDOMAIN = /^(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*$/
// Most names are subdomains; those of roles and some others are any segment of a path.
const NAME = /^(?!\.{1,2}$)[^/%\s\p{C}]{1,253}$/u
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

function kubernetesReference({ type, key, uid }: KubernetesObjectReference): KubernetesReference {
  if (type === null) throw invalid('it has no type')
  const { plural, group } = type
  if (!LABEL.test(plural)) throw invalid(`its plural ${quoted(plural)} is not the name of a resource`)
  if (!SUBDOMAIN.test(group))
    throw invalid(`its group ${quoted(group)} is not the name of an API group; that of pods is core`)
  if (key === null && uid === '') throw invalid('it has neither key nor uid')
  if (uid !== '' && !UUID.test(uid)) throw invalid(`its uid ${quoted(uid)} is not a UUID`)
  return {
    ...{ kind: 'kubernetes', plural, group },
    key: key === null ? undefined : keyOf(key, scopeOf(plural, group)),
    uid: uid === '' ? undefined : uid.toLowerCase(),
  }
}

/** What is neither known as namespaced nor as cluster-scoped may be either; whoever resolves it knows. */
function keyOf(
  { namespace, name }: { readonly namespace: string; readonly name: string },
  scope: ReturnType<typeof scopeOf>,
): KubernetesReference['key'] {
  if (!NAME.test(name)) throw invalid(`its name ${quoted(name)} is not the name of an object`)
  if (namespace !== '' && !NAMESPACE.test(namespace)) throw invalid(`its namespace ${quoted(namespace)} is not one`)
  if (namespace === '' && scope === 'namespace')
    throw invalid('it has no namespace, and objects of its type are in one')
  if (namespace !== '' && scope === 'cluster') throw invalid('it has a namespace, and objects of its type are in none')
  return { namespace: namespace === '' ? undefined : namespace, name }
}

/** For logs and messages. */
export function printReference(reference: Reference): string {
  if (reference.kind === 'pid') return `process ${reference.pid}`
  const { plural, group, key, uid } = reference
  const name = key === undefined ? '' : ` ${key.namespace === undefined ? '' : `${key.namespace}/`}${key.name}`
  return `${plural}.${group}${name}${uid === undefined ? '' : ` with uid ${uid}`}`
}

const quoted = (text: string): string => JSON.stringify(text.slice(0, 100))

const invalid = (why: string, cause?: unknown): SallyportError =>
  new SallyportError('WORKLOAD_REFERENCE_INVALID', `Cannot use the reference to a workload: ${why}`, { cause })
