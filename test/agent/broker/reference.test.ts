import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseReference, printReference, type Reference } from '../../../agent/broker/reference.ts'
import { SallyportError } from '../../../src/errors.ts'
import { encodeMessage } from '../../../src/wire/encode-message.ts'
import { kubernetesObjectReferenceType, workloadPidReferenceType } from '../../../src/wire/messages/spiffe-broker.ts'
import type { Sent } from '../../../src/wire/service.ts'
import type { KubernetesObjectReference } from '../../../src/wire/messages/spiffe-broker.ts'

const PID_URL = 'type.googleapis.com/spiffe.broker.WorkloadPIDReference'
const KUBERNETES_URL = 'type.googleapis.com/spiffe.broker.KubernetesObjectReference'
const UID = 'a1b2c3d4-e5f6-7890-abcd-ef1234567890'

const packed = (type_url: string, value: Buffer): Reference => parseReference({ reference: { type_url, value } })
const pid = (number: number, url = PID_URL): Reference =>
  packed(url, encodeMessage(workloadPidReferenceType, { pid: number }))
const object = (fields: Sent<KubernetesObjectReference>): Reference =>
  packed(KUBERNETES_URL, encodeMessage(kubernetesObjectReferenceType, fields))

const pods = { plural: 'pods', group: 'core' }

describe('parseReference()', () => {
  test('reads the number of a process', () => {
    expect(pid(1234)).toEqual({ kind: 'pid', pid: 1234 })
  })

  test.for([
    'x/spiffe.broker.WorkloadPIDReference',
    '/spiffe.broker.WorkloadPIDReference',
    'a.b/c/spiffe.broker.WorkloadPIDReference',
  ])('GP-02 the type is what follows the last slash: %s', (url) => {
    expect(pid(7, url)).toEqual({ kind: 'pid', pid: 7 })
  })

  test.for<[string, Sent<KubernetesObjectReference>, string]>([
    [
      'a Pod by name and UID',
      { type: pods, key: { namespace: 'shop', name: 'checkout-7c9f' }, uid: UID },
      `pods.core shop/checkout-7c9f with uid ${UID}`,
    ],
    ['a Pod by UID only', { type: pods, uid: UID.toUpperCase() }, `pods.core with uid ${UID}`],
    [
      'a Deployment',
      { type: { plural: 'deployments', group: 'apps' }, key: { namespace: 'shop', name: 'checkout' } },
      'deployments.apps shop/checkout',
    ],
    [
      'a ServiceAccount',
      { type: { plural: 'serviceaccounts', group: 'core' }, key: { namespace: 'shop', name: 'checkout' } },
      'serviceaccounts.core shop/checkout',
    ],
    [
      'a custom resource by UID',
      { type: { plural: 'kustomizations', group: 'kustomize.toolkit.fluxcd.io' }, uid: UID },
      `kustomizations.kustomize.toolkit.fluxcd.io with uid ${UID}`,
    ],
    [
      'a custom resource of the cluster',
      { type: { plural: 'things', group: 'example.com' }, key: { name: 'x' } },
      'things.example.com x',
    ],
    [
      'a custom resource in a namespace',
      { type: { plural: 'things', group: 'example.com' }, key: { namespace: 'a', name: 'x' } },
      'things.example.com a/x',
    ],
    [
      'a Node',
      { type: { plural: 'nodes', group: 'core' }, key: { name: 'ip-10-0-1-42.ec2.internal' } },
      'nodes.core ip-10-0-1-42.ec2.internal',
    ],
    [
      'a role with a colon',
      { type: { plural: 'clusterroles', group: 'rbac.authorization.k8s.io' }, key: { name: 'system:node' } },
      'clusterroles.rbac.authorization.k8s.io system:node',
    ],
  ])('reads %s', ([, fields, printed]) => {
    const reference = object(fields)
    expect(reference.kind).toBe('kubernetes')
    expect(printReference(reference)).toBe(printed)
  })

  test('BA-01 refuses a reference that is missing', () => {
    expect(() => parseReference(null)).toThrowCode('WORKLOAD_REFERENCE_INVALID', 'it is missing')
    expect(() => parseReference({ reference: null })).toThrowCode('WORKLOAD_REFERENCE_INVALID', 'it is missing')
    expect(() => packed('', Buffer.alloc(0))).toThrowCode('WORKLOAD_REFERENCE_INVALID', 'it is missing')
  })

  test.for(['type.googleapis.com/foo.Bar', 'spiffe.broker.WorkloadPidReference', 'type.googleapis.com/__proto__'])(
    'BA-02 refuses the unknown type %s',
    (url) => {
      expect(() => packed(url, Buffer.from([8, 7]))).toThrowCode('WORKLOAD_REFERENCE_INVALID', 'is not known here')
    },
  )

  test.for([0, -1, -(2 ** 31)])('BA-03 refuses process %i', (number) => {
    expect(() => pid(number)).toThrowCode('WORKLOAD_REFERENCE_INVALID', `${number} is not the number of a process`)
  })

  test.for([PID_URL, KUBERNETES_URL])('BA-03 refuses bytes that are no message: %s', (url) => {
    expect(() => packed(url, Buffer.from([0x08]))).toThrowCode('WORKLOAD_REFERENCE_INVALID', 'it is no spiffe.broker')
    expect(() => packed(url, Buffer.from([0xff, 0xff, 0xff]))).toThrowCode('WORKLOAD_REFERENCE_INVALID', 'it is no')
  })

  const key = { namespace: 'shop', name: 'checkout' }

  test.for<[string, Sent<KubernetesObjectReference>, string]>([
    ['without a type', { key }, 'has no type'],
    ['without a plural', { type: { group: 'core' }, key }, 'plural "" is not'],
    ['without a group, which is not that of pods', { type: { plural: 'pods', group: '' }, key }, 'group "" is not'],
    ['with a kind for a plural', { type: { plural: 'Pod', group: 'core' }, key }, 'plural "Pod" is not'],
    ['with a subresource', { type: { plural: 'pods/exec', group: 'core' }, key }, 'plural "pods/exec" is not'],
    ['with a version in its group', { type: { plural: 'pods', group: 'apps/v1' }, key }, 'group "apps/v1" is not'],
    ['without key and uid', { type: pods }, 'neither key nor uid'],
    ['with a key without a name', { type: pods, key: { namespace: 'shop' } }, 'name "" is not'],
    ['with an empty key beside a uid', { type: pods, key: {}, uid: UID }, 'name "" is not'],
    ['with a uid that is no UUID', { type: pods, uid: 'a1b2c3d4' }, 'is not a UUID'],
    ['with a uid that has more behind it', { type: pods, uid: `${UID}\n` }, 'is not a UUID'],
    ['of a namespaced type without a namespace', { type: pods, key: { name: 'checkout' } }, 'has no namespace'],
    ['of a cluster-scoped type with a namespace', { type: { plural: 'nodes', group: 'core' }, key }, 'has a namespace'],
    [
      'of the type of namespaces with a namespace',
      { type: { plural: 'namespaces', group: 'core' }, key },
      'has a namespace',
    ],
    [
      'with a name that climbs',
      { type: pods, key: { namespace: 'shop', name: '../x' } },
      'is not the name of an object',
    ],
    ['with the name ..', { type: pods, key: { namespace: 'shop', name: '..' } }, 'is not the name of an object'],
    [
      'with a name that is too long',
      { type: pods, key: { namespace: 'shop', name: 'x'.repeat(254) } },
      'is not the name',
    ],
    ['with a namespace that is none', { type: pods, key: { namespace: 'Shop', name: 'x' } }, 'namespace "Shop" is not'],
  ])('BA-03 refuses an object %s', ([, fields, why]) => {
    expect(() => object(fields)).toThrowCode('WORKLOAD_REFERENCE_INVALID', why)
  })

  test('BA-03 on any bytes it returns a reference or refuses them', () => {
    const urls = fc.constantFrom(PID_URL, KUBERNETES_URL, 'x')
    fc.assert(
      fc.property(urls, fc.uint8Array({ maxLength: 60 }), (url, bytes) => {
        try {
          packed(url, Buffer.from(bytes))
        } catch (error) {
          expect(error).toBeInstanceOf(SallyportError)
          expect((error as SallyportError).code).toBe('WORKLOAD_REFERENCE_INVALID')
        }
      }),
    )
  })
})
