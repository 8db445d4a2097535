/** An edge of a network; a capacity of Infinity cannot be cut. */
export interface NetworkEdge {
  readonly from: number
  readonly to: number
  readonly capacity: number
}

/**
 * The cheapest set of edges without which no way leads from any source to any target (Dinic). Undefined: only edges that cannot
 * be cut lead there.
 *
 * @returns indexes of edges
 * @see zones.md §4.2
 */
export function minCut(
  nodes: number,
  edges: readonly NetworkEdge[],
  sources: readonly number[],
  targets: readonly number[],
): readonly number[] | undefined {
  if (sources.some((source) => targets.includes(source))) return undefined
  const network = new Network(nodes + 2)
  const [source, target] = [nodes, nodes + 1]
  for (const { from, to, capacity } of edges) network.add(from, to, capacity)
  for (const node of new Set(sources)) network.add(source, node, Infinity)
  for (const node of new Set(targets)) network.add(node, target, Infinity)
  if (!network.saturate(source, target)) return undefined
  const reached = network.reachable(source)
  return edges.flatMap(({ from, to, capacity }, index) =>
    capacity > 0 && reached[from] === 1 && reached[to] === 0 ? index : [],
  )
}

class Network {
  readonly #next: number[][]
  /** Edge 2n and its way back 2n + 1. */
  readonly #to: number[] = []
  readonly #left: number[] = []
  readonly #level: Int32Array

  constructor(nodes: number) {
    this.#next = Array.from({ length: nodes }, () => [])
    this.#level = new Int32Array(nodes)
  }

  add(from: number, to: number, capacity: number): void {
    this.#next[from]?.push(this.#to.push(to) - 1)
    this.#left.push(capacity)
    this.#next[to]?.push(this.#to.push(from) - 1)
    this.#left.push(0)
  }

  /** False: the flow has no bound. */
  saturate(source: number, target: number): boolean {
    while (this.#layers(source, target)) {
      const tried = new Int32Array(this.#next.length)
      for (;;) {
        const pushed = this.#push(source, target, Infinity, tried)
        if (pushed === Infinity) return false
        if (pushed === 0) break
      }
    }
    return true
  }

  reachable(source: number): Uint8Array {
    const seen = new Uint8Array(this.#next.length)
    seen[source] = 1
    const open = [source]
    for (let node = open.pop(); node !== undefined; node = open.pop())
      for (const edge of this.#next[node] ?? []) {
        const to = this.#to[edge] as number
        if ((this.#left[edge] as number) <= 0 || seen[to] === 1) continue
        seen[to] = 1
        open.push(to)
      }
    return seen
  }

  #layers(source: number, target: number): boolean {
    this.#level.fill(-1)
    this.#level[source] = 0
    const open = [source]
    for (const node of open)
      for (const edge of this.#next[node] ?? []) {
        const to = this.#to[edge] as number
        if ((this.#left[edge] as number) <= 0 || this.#level[to] !== -1) continue
        this.#level[to] = (this.#level[node] as number) + 1
        open.push(to)
      }
    return this.#level[target] !== -1
  }

  /** As deep as there are layers, which are at most as many as zones. */
  #push(node: number, target: number, most: number, tried: Int32Array): number {
    if (node === target) return most
    const edges = this.#next[node] as number[]
    for (; (tried[node] as number) < edges.length; tried[node] = (tried[node] as number) + 1) {
      const edge = edges[tried[node] as number] as number
      const [to, left] = [this.#to[edge] as number, this.#left[edge] as number]
      if (left <= 0 || this.#level[to] !== (this.#level[node] as number) + 1) continue
      const pushed = this.#push(to, target, Math.min(most, left), tried)
      if (pushed === 0) continue
      if (pushed !== Infinity) {
        this.#left[edge] = left - pushed
        this.#left[edge ^ 1] = (this.#left[edge ^ 1] as number) + pushed
      }
      return pushed
    }
    return 0
  }
}
