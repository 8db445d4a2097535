/**
 * Federation without a control plane: a workload fetches the bundles of foreign trust domains from their bundle endpoints itself.
 *
 * @packageDocumentation
 */

// Relationships
export { BundleEndpoints, type BundleEndpointsOptions } from './bundle-endpoints.ts'
export type {
  HttpsSpiffeRelationship,
  HttpsWebRelationship,
  RelationshipFields,
  RelationshipOptions,
} from './relationship.ts'
export type { RelationshipHealth, RelationshipStatus } from './relationship-health.ts'
export type { FetchReport } from './fetch-report.ts'
export type { EndpointPeer } from './connect-endpoint.ts'

// Use in a service
export { type FederatedTokens, type ForeignBundles, type TokenBundles, withFederation } from './with-federation.ts'

// Restarts
export type { BundleStore } from './bundle-store.ts'
export { folderStore } from './folder-store.ts'
