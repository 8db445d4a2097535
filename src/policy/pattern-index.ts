import type { Pattern } from './pattern.ts'

interface Node<T> {
  readonly literal: Map<string, Node<T>>
  star: Node<T> | undefined
  /** Of patterns that end here, and that end here with `**`. */
  readonly here: T[]
  readonly below: T[]
}

const nodeOf = <T>(): Node<T> => ({ literal: new Map(), star: undefined, here: [], below: [] })

/**
 * Patterns by segment, so that a lookup costs what the path is long and not how many patterns there are. It knows no trust
 * domains: one index holds patterns of one.
 */
export class PatternIndex<T> {
  readonly #root: Node<T> = nodeOf()
  #isEmpty = true

  get isEmpty(): boolean {
    return this.#isEmpty
  }

  add({ segments }: Pattern, value: T): void {
    this.#isEmpty = false
    let node = this.#root
    for (const segment of segments) {
      if (segment === '**') {
        node.below.push(value)
        return
      }
      node = segment === '*' ? (node.star ??= nodeOf()) : literalOf(node, segment)
    }
    node.here.push(value)
  }

  /** The values of the most specific pattern that matches: literal before `*` before `**`, from the left (ZO-10). */
  mostSpecific(path: readonly string[]): readonly T[] {
    return find(this.#root, path, 0) ?? []
  }

  /** The values of every pattern that matches. */
  all(path: readonly string[]): T[] {
    const found: T[] = []
    if (!this.#isEmpty) collect(this.#root, path, 0, found)
    return found
  }
}

function literalOf<T>(node: Node<T>, segment: string): Node<T> {
  let child = node.literal.get(segment)
  if (child === undefined) node.literal.set(segment, (child = nodeOf()))
  return child
}

function find<T>(node: Node<T>, path: readonly string[], depth: number): readonly T[] | undefined {
  if (depth === path.length) return node.here.length > 0 ? node.here : undefined
  const child = node.literal.get(path[depth] as string)
  const found =
    (child === undefined ? undefined : find(child, path, depth + 1)) ??
    (node.star === undefined ? undefined : find(node.star, path, depth + 1))
  return found ?? (node.below.length > 0 ? node.below : undefined)
}

function collect<T>(node: Node<T>, path: readonly string[], depth: number, found: T[]): void {
  if (depth === path.length) {
    found.push(...node.here)
    return
  }
  found.push(...node.below)
  const child = node.literal.get(path[depth] as string)
  if (child !== undefined) collect(child, path, depth + 1, found)
  if (node.star !== undefined) collect(node.star, path, depth + 1, found)
}
