import { MANY, ONE, parsePathTemplate, templatesOverlap, type PathTemplate } from './path-template.ts'
import type { Action, Matcher, Service } from './policy-set.ts'

/** What a request is on a service: the action's name and the template or gRPC method that matched. */
export interface MatchedAction {
  readonly name: string
  readonly route: string | null
}

/** The matchers of a service: HTTP by method, upgrade and segment; gRPC by path. */
export interface ActionTable {
  readonly http: ReadonlyMap<string, TemplateNode>
  readonly grpc: ReadonlyMap<string, MatchedAction>
  readonly connect: MatchedAction | undefined
}

export interface TemplateNode {
  readonly literal: Map<string, TemplateNode>
  one: TemplateNode | undefined
  /** Without and with a trailing slash. */
  readonly here: [MatchedAction | undefined, MatchedAction | undefined]
  readonly below: [MatchedAction | undefined, MatchedAction | undefined]
}

/** Methods and upgrades have their own trees; upgrade tokens are compared without case, as HTTP does. */
export const treeKey = (method: string, upgrade: string | null | undefined): string =>
  upgrade === null || upgrade === undefined ? method : `${method} ${upgrade.toLowerCase()}`

export function actionTable({ actions }: Pick<Service, 'actions'>): ActionTable {
  const http = new Map<string, TemplateNode>()
  const grpc = new Map<string, MatchedAction>()
  let connect: MatchedAction | undefined
  for (const { name, match } of actions) {
    for (const matcher of match) {
      if (matcher.kind === 'connect') connect = { name, route: null }
      else if (matcher.kind === 'grpc') grpc.set(`/${matcher.rpc}`, { name, route: matcher.rpc })
      else addTemplate(http, matcher, { name, route: matcher.path })
    }
  }
  return { http, grpc, connect }
}

const nodeOf = (): TemplateNode => ({
  literal: new Map(),
  one: undefined,
  here: [undefined, undefined],
  below: [undefined, undefined],
})

function addTemplate(
  http: Map<string, TemplateNode>,
  matcher: Matcher & { kind: 'http' },
  action: MatchedAction,
): void {
  const template = parsePathTemplate(matcher.path)
  for (const method of matcher.methods) {
    const key = treeKey(method, matcher.upgrade)
    let node = http.get(key)
    if (node === undefined) http.set(key, (node = nodeOf()))
    placeOf(node, template)[template.hasTrailingSlash ? 1 : 0] ??= action
  }
}

function placeOf(root: TemplateNode, { segments }: PathTemplate): TemplateNode['here'] {
  let node = root
  for (const segment of segments) {
    if (segment === MANY) return node.below
    if (segment === ONE) node = node.one ??= nodeOf()
    else {
      let child = node.literal.get(segment)
      if (child === undefined) node.literal.set(segment, (child = nodeOf()))
      node = child
    }
  }
  return node.here
}

/** Two matchers of different actions that one request could match (ZO-41). */
export interface Overlap {
  readonly a: { readonly action: string; readonly matcher: Matcher }
  readonly b: { readonly action: string; readonly matcher: Matcher }
}

export function overlapsOf(actions: readonly Action[]): Overlap[] {
  const all = actions.flatMap(({ name, match }) =>
    match.map((matcher) => ({
      action: name,
      matcher,
      template: matcher.kind === 'http' ? parsePathTemplate(matcher.path) : undefined,
    })),
  )
  return all.flatMap((a, index) =>
    all
      .slice(index + 1)
      .filter((b) => a.action !== b.action && overlap(a.matcher, a.template, b.matcher, b.template))
      .map((b) => ({ a: { action: a.action, matcher: a.matcher }, b: { action: b.action, matcher: b.matcher } })),
  )
}

function overlap(a: Matcher, aPath: PathTemplate | undefined, b: Matcher, bPath: PathTemplate | undefined): boolean {
  if (a.kind === 'connect') return b.kind === 'connect'
  if (a.kind === 'grpc') return b.kind === 'grpc' && a.rpc === b.rpc
  if (b.kind !== 'http' || aPath === undefined || bPath === undefined) return false
  const methods = new Set(a.methods.map((method) => treeKey(method, a.upgrade)))
  return b.methods.some((method) => methods.has(treeKey(method, b.upgrade))) && templatesOverlap(aPath, bPath)
}
