/** Resources that are built into Kubernetes, by group: those in a namespace, and those of the whole cluster. */
const builtIn: Readonly<
  Record<string, { readonly namespace: readonly string[]; readonly cluster: readonly string[] }>
> = {
  core: {
    namespace: [
      'configmaps',
      'endpoints',
      'events',
      'limitranges',
      'persistentvolumeclaims',
      'pods',
      'podtemplates',
      'replicationcontrollers',
      'resourcequotas',
      'secrets',
      'serviceaccounts',
      'services',
    ],
    cluster: ['componentstatuses', 'namespaces', 'nodes', 'persistentvolumes'],
  },
  apps: { namespace: ['controllerrevisions', 'daemonsets', 'deployments', 'replicasets', 'statefulsets'], cluster: [] },
  autoscaling: { namespace: ['horizontalpodautoscalers'], cluster: [] },
  batch: { namespace: ['cronjobs', 'jobs'], cluster: [] },
  'apiextensions.k8s.io': { namespace: [], cluster: ['customresourcedefinitions'] },
  'discovery.k8s.io': { namespace: ['endpointslices'], cluster: [] },
  'networking.k8s.io': {
    namespace: ['ingresses', 'networkpolicies'],
    cluster: ['ingressclasses', 'ipaddresses', 'servicecidrs'],
  },
  policy: { namespace: ['poddisruptionbudgets'], cluster: [] },
  'rbac.authorization.k8s.io': {
    namespace: ['rolebindings', 'roles'],
    cluster: ['clusterrolebindings', 'clusterroles'],
  },
}

/** Whether objects of a type live in a namespace; undefined for types that an operator has added, which only the cluster knows. */
export function scopeOf(plural: string, group: string): 'namespace' | 'cluster' | undefined {
  const known = Object.hasOwn(builtIn, group) ? builtIn[group] : undefined
  if (known?.namespace.includes(plural) === true) return 'namespace'
  return known?.cluster.includes(plural) === true ? 'cluster' : undefined
}
