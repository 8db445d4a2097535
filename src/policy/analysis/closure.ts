import { BitRows } from './bit-rows.ts'

/**
 * For every node of a directed graph all nodes that it leads to, itself included: strongly connected components (Tarjan), then the
 * sets of each from those of its successors.
 *
 * @see zones.md §4.1
 */
export class Closure {
  readonly componentOf: Int32Array
  readonly #rows: BitRows

  constructor(successors: readonly (readonly number[])[]) {
    const { componentOf, members } = components(successors)
    this.componentOf = componentOf
    this.#rows = new BitRows(members.length, successors.length)
    // Tarjan finds a component after all that it leads to.
    for (const [component, nodes] of members.entries()) {
      for (const node of nodes) {
        this.#rows.add(component, node)
        for (const next of successors[node] ?? []) {
          const other = componentOf[next] as number
          if (other !== component) this.#rows.addRow(component, other)
        }
      }
    }
  }

  has(from: number, to: number): boolean {
    return this.#rows.has(this.componentOf[from] as number, to)
  }

  /** Adds all that a node leads to, itself included, to a row of `into`. */
  addTo(into: BitRows, row: number, node: number): void {
    into.addRow(row, this.componentOf[node] as number, this.#rows)
  }
}

interface Components {
  readonly componentOf: Int32Array
  readonly members: readonly (readonly number[])[]
}

/** Without recursion: a chain of services may be longer than the stack. */
function components(successors: readonly (readonly number[])[]): Components {
  const count = successors.length
  const componentOf = new Int32Array(count).fill(-1)
  const order = new Int32Array(count).fill(-1)
  const low = new Int32Array(count)
  const members: number[][] = []
  const path: number[] = []
  let met = 0
  const enter = (node: number): { node: number; next: number } => {
    order[node] = low[node] = met++
    path.push(node)
    return { node, next: 0 }
  }
  const lower = (node: number, value: number): void => {
    if (value < (low[node] as number)) low[node] = value
  }
  for (let root = 0; root < count; root++) {
    if (order[root] !== -1) continue
    const calls = [enter(root)]
    for (let call = calls.at(-1); call !== undefined; call = calls.at(-1)) {
      const { node } = call
      const next = successors[node]?.[call.next++]
      if (next !== undefined) {
        if (order[next] === -1) calls.push(enter(next))
        else if (componentOf[next] === -1) lower(node, order[next] as number)
        continue
      }
      calls.pop()
      const caller = calls.at(-1)
      if (caller !== undefined) lower(caller.node, low[node] as number)
      if (low[node] === order[node]) members.push(takeComponent(path, node, componentOf, members.length))
    }
  }
  return { componentOf, members }
}

function takeComponent(path: number[], root: number, componentOf: Int32Array, component: number): number[] {
  const nodes: number[] = []
  for (;;) {
    const node = path.pop() as number
    componentOf[node] = component
    nodes.push(node)
    if (node === root) return nodes
  }
}
