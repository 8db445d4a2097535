/** The longest condition, in characters; the most nodes of one and how deep they nest. */
export const CONDITION_MAX_LENGTH = 2048
export const CONDITION_MAX_NODES = 256
export const CONDITION_MAX_DEPTH = 32

/** What a condition can read (ZO-40), and of which type it is. */
export const attributes = {
  'src.id': 'string',
  'src.zone': 'string',
  'src.target': 'integer',
  'src.labels': 'labels',
  'dst.id': 'string',
  'dst.zone': 'string',
  'dst.target': 'integer',
  'dst.labels': 'labels',
  'req.method': 'string',
  'req.route': 'string',
  'req.authority': 'string',
  'net.port': 'integer',
  'net.ip': 'string',
} as const

export type AttributeName = keyof typeof attributes
export type ConditionType = 'string' | 'integer' | 'boolean' | 'instant' | 'labels'
export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>='

export type Literal =
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'integer'; readonly value: number }
  | { readonly kind: 'boolean'; readonly value: boolean }
  /** `instant("2026-11-20T12:00:00Z")`, in milliseconds since 1970. */
  | { readonly kind: 'instant'; readonly value: number }

/** What stands on the right of `in`. */
export type Collection =
  | { readonly kind: 'list'; readonly items: readonly Literal[] }
  /** `cidr("10.0.0.0/8")`: the text on the left is an address in this range. */
  | { readonly kind: 'cidr'; readonly range: string }

/** A condition as it was read; `at` is the offset in its text. */
export type Expression = { readonly at: number } & (
  | { readonly kind: 'literal'; readonly literal: Literal }
  | { readonly kind: 'attribute'; readonly name: AttributeName }
  /** `src.labels["env"]`. */
  | { readonly kind: 'label'; readonly of: 'src' | 'dst'; readonly key: string }
  /** `src.labels has "env"`. */
  | { readonly kind: 'has'; readonly of: 'src' | 'dst'; readonly key: string }
  /** `has(net.ip)`: whether the attribute is known. */
  | { readonly kind: 'known'; readonly name: AttributeName }
  | { readonly kind: 'not'; readonly operand: Expression }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'compare'; readonly operator: Comparison; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'in'; readonly left: Expression; readonly right: Collection }
)
