/**
 * The SPIFFE Broker API for programs that act on behalf of workloads, the entry `sallyport/broker`. Incubating.
 *
 * @packageDocumentation
 */

export { BrokerClient, type BrokerClientOptions } from './broker-client.ts'
export { BrokeredWorkload } from './brokered-workload.ts'
export type { BrokerSource } from './broker-identity.ts'
export type { KubernetesReference, PidReference, WorkloadReference } from './reference.ts'
export { BROKER_API_REVISION } from './revision.ts'
