import { canonicalPath, TARGET_MAX_BYTES, type CanonicalPath } from './canonical-path.ts'
import type { Code } from './codes.ts'
import { treeKey, type ActionTable, type MatchedAction, type TemplateNode } from './action-table.ts'
import type { HttpFacts } from './request.ts'

/** What a request asks a service for: the actions that must all be allowed, or the code of why it has no reading. */
export interface CanonicalRequest {
  /** More than one with a method override that the service honours (ZO-54). The last is what will be done. */
  readonly actions: readonly MatchedAction[]
  readonly refused: Code | null
  /** Whether it was refused before an action could be looked up: then it matches every action of a guard (ZO-25). */
  readonly isUnreadable: boolean
}

export interface RequestRules {
  readonly actions: ActionTable
  readonly authorities: ReadonlySet<string>
  readonly honoursMethodOverride: boolean
}

/**
 * Reads a request in the strict profile, in the order of §3.6: path, method, override, authority, action.
 *
 * @see zones.md §3.6; ZO-50 to ZO-54
 */
export function canonicalRequest(service: RequestRules, request: HttpFacts): CanonicalRequest {
  const path = request.isGrpc ? grpcPath(request.target) : canonicalPath(request.target)
  if (typeof path !== 'string' && 'refused' in path) return unreadable(path.refused)
  const refused = methodProblem(request, service) ?? authorityProblem(request, service)
  if (refused !== undefined) return unreadable(refused)
  const actual = actionOf(service.actions, request, path, request.method)
  if (actual === undefined) return noAction
  if (request.methodOverride === null) return { actions: [actual], refused: null, isUnreadable: false }
  const effective = actionOf(service.actions, request, path, request.methodOverride)
  return effective === undefined ? noAction : { actions: [actual, effective], refused: null, isUnreadable: false }
}

/** What a raw connection asks for. */
export const connectRequest = ({ connect }: ActionTable): CanonicalRequest =>
  connect === undefined ? noAction : { actions: [connect], refused: null, isUnreadable: false }

const noAction: CanonicalRequest = { actions: [], refused: 'NO_ACTION', isUnreadable: false }
const unreadable = (refused: Code): CanonicalRequest => ({ actions: [], refused, isUnreadable: true })

/** A gRPC path is compared undecoded and uncut (ZO-53). */
function grpcPath(target: string): string | { readonly refused: Code } {
  if (target.length > TARGET_MAX_BYTES) return { refused: 'PATH_TOO_LONG' }
  return target.startsWith('/') ? target : { refused: 'PATH_NO_LEADING_SLASH' }
}

function methodProblem({ method, methodOverride }: HttpFacts, service: RequestRules): Code | undefined {
  if (!isMethod(method)) return 'METHOD_NOT_ALLOWED'
  if (methodOverride === null) return undefined
  if (!service.honoursMethodOverride) return 'METHOD_OVERRIDE'
  return isMethod(methodOverride) ? undefined : 'METHOD_NOT_ALLOWED'
}

/** CONNECT, extended or not, and TRACE never. */
const isMethod = (method: string): boolean =>
  /^[A-Z]+(-[A-Z]+)*$/.test(method) && method !== 'CONNECT' && method !== 'TRACE'

/** Every authority that was given must be one of the service (connection coalescing); none at all is not one of them. */
function authorityProblem({ authorities }: HttpFacts, service: RequestRules): Code | undefined {
  if (service.authorities.size === 0) return undefined
  if (authorities.length === 0) return 'AUTHORITY_MISMATCH'
  for (const authority of authorities) if (!service.authorities.has(authority)) return 'AUTHORITY_MISMATCH'
  return undefined
}

function actionOf(
  { http, grpc }: ActionTable,
  { upgrade }: HttpFacts,
  path: string | Exclude<CanonicalPath, { refused: Code }>,
  method: string,
): MatchedAction | undefined {
  if (typeof path === 'string') return method === 'POST' && upgrade === null ? grpc.get(path) : undefined
  const root = http.get(treeKey(method, upgrade))
  return root === undefined ? undefined : find(root, path.segments, 0, path.hasTrailingSlash ? 1 : 0)
}

/** Literal before `{one}` before `**`: overlaps are file errors, so this order decides nothing but the route that is told. */
function find(node: TemplateNode, path: readonly string[], depth: number, slash: 0 | 1): MatchedAction | undefined {
  if (depth === path.length) return node.here[slash]
  const child = node.literal.get(path[depth] as string)
  return (
    (child === undefined ? undefined : find(child, path, depth + 1, slash)) ??
    (node.one === undefined ? undefined : find(node.one, path, depth + 1, slash)) ??
    node.below[slash]
  )
}
