import type { Pattern } from './pattern.ts'

interface Node<T> {
  children: Map<string, Node<T>> | undefined
  value: T | undefined
}

/** Values by SPIFFE ID path, for the opposite of a pattern index: which of many paths does one pattern match. */
export class IdentityTree<T> {
  readonly #root: Node<T> = { children: undefined, value: undefined }

  set(path: readonly string[], value: T | undefined): void {
    let node = this.#root
    for (const segment of path) {
      node.children ??= new Map()
      let child = node.children.get(segment)
      if (child === undefined) node.children.set(segment, (child = { children: undefined, value: undefined }))
      node = child
    }
    node.value = value
  }

  /** Costs what is found, and for each `*` what stands there. */
  matching({ segments }: Pick<Pattern, 'segments'>): T[] {
    const found: T[] = []
    match(this.#root, segments, 0, found)
    return found
  }
}

function match<T>(node: Node<T>, segments: readonly string[], depth: number, found: T[]): void {
  const segment = segments[depth]
  if (segment === undefined) {
    if (node.value !== undefined) found.push(node.value)
  } else if (segment === '**') {
    for (const child of node.children?.values() ?? []) everything(child, found)
  } else if (segment === '*') {
    for (const child of node.children?.values() ?? []) match(child, segments, depth + 1, found)
  } else {
    const child = node.children?.get(segment)
    if (child !== undefined) match(child, segments, depth + 1, found)
  }
}

function everything<T>(node: Node<T>, found: T[]): void {
  if (node.value !== undefined) found.push(node.value)
  for (const child of node.children?.values() ?? []) everything(child, found)
}
