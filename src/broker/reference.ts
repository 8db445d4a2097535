import { encodeMessage } from '../wire/encode-message.ts'
import {
  kubernetesObjectReferenceType,
  type WorkloadReference as ReferenceMessage,
  workloadPidReferenceType,
} from '../wire/messages/spiffe-broker.ts'

/** A process on the node of the agent, by its number as the agent sees it: the workload's own process, not one that only holds its sandbox. */
export interface PidReference {
  readonly pid: number
}

/** An object of the control plane that the agent belongs to; named, or by UID, or both. */
export interface KubernetesReference {
  readonly kubernetes: {
    /** Such as `pods`. */
    readonly plural: string
    /** Such as `apps`; `core` for pods and other core resources. */
    readonly group: string
    /** For types whose objects are in a namespace. */
    readonly namespace?: string | undefined
    readonly name?: string | undefined
    /** With a name: the object of that name must have it. */
    readonly uid?: string | undefined
  }
}

/**
 * Which workload is meant.
 *
 * @see SPIFFE_Broker_API.md, "Workload references" (Incubating)
 */
export type WorkloadReference = PidReference | KubernetesReference

const PREFIX = 'type.googleapis.com/'
const PID_MAX = 2 ** 31 - 1

/** As it goes over the wire. Throws `TypeError` for what no agent could take. */
export function encodeReference(reference: WorkloadReference): ReferenceMessage {
  if ('pid' in reference) {
    const { pid } = reference
    if (!Number.isInteger(pid) || pid < 1 || pid > PID_MAX) throw new TypeError(`${pid} is not the number of a process`)
    return packed(workloadPidReferenceType.name, encodeMessage(workloadPidReferenceType, { pid }))
  }
  const { plural, group, namespace = '', name, uid = '' } = reference.kubernetes
  if (name === undefined && uid === '') throw new TypeError('A reference to an object needs its name or its uid')
  const key = name === undefined ? undefined : { namespace, name }
  return packed(
    kubernetesObjectReferenceType.name,
    encodeMessage(kubernetesObjectReferenceType, { type: { plural, group }, key, uid }),
  )
}

/** For messages. */
export function printReference(reference: WorkloadReference): string {
  if ('pid' in reference) return `process ${reference.pid}`
  const { plural, group, namespace, name, uid } = reference.kubernetes
  return [`${plural}.${group}`, [namespace, name].filter(Boolean).join('/'), uid].filter(Boolean).join(' ')
}

const packed = (type: string, value: Buffer): ReferenceMessage => ({ reference: { type_url: PREFIX + type, value } })
