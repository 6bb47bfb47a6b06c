import type { IntegerGraph } from '../graph/graph.js';
import type { IntegerValue } from './reference.js';

/** What one node runs on. */
export interface PlannedNode {
  readonly node: string;
  /** For example `additions int8` or `winograd`. */
  readonly kernel: string;
  readonly threads: number;
}

/** A network made ready to run by one engine. All engines give the same integers. */
export interface Runtime {
  /** What really runs, for example `reference` or `wasm:relaxed`. */
  readonly name: string;
  readonly graph: IntegerGraph;
  /** What each node runs on, in their order. */
  readonly plan: readonly PlannedNode[];
  /**
   * The integers of the network's output.
   * @param x integers of the input's grid, `[N, …]`
   * @throws DataError if the shape does not fit or an integer is none of the grid
   */
  run(x: IntegerValue): IntegerValue | Promise<IntegerValue>;
  /** Frees what the engine holds. */
  dispose(): void;
}
