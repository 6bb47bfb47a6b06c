import type { Row, RowWatcher } from '../autograd/row.js';
import { convolutionRows } from '../autograd/rows/convolution.js';
import { maximum, minimum, relu } from '../autograd/rows/elementwise.js';
import { imageRows } from '../autograd/rows/images.js';
import { layoutRows } from '../autograd/rows/layout.js';
import { linearRows } from '../autograd/rows/linear.js';
import { quantizationRows } from '../autograd/rows/quantization.js';
import { reductionRows } from '../autograd/rows/reduction.js';
import type { QuantGrid } from '../kernels/fast.js';
import type { Window } from '../kernels/geometry.js';
import { dispose, keep, type Storage } from '../tensor/storage.js';
import type { Tensor } from '../tensor/tensor.js';
import type { View } from '../tensor/view.js';
import { copyOf } from './copyOf.js';
import { WeightedTrace } from './weightedTrace.js';

/** A grid that values were rounded to: `scale · q` with integers `q` of `low … high`. */
export interface TracedGrid {
  readonly low: number;
  readonly high: number;
  /** Outlives its scope until the trace is disposed of. */
  readonly scale: Tensor;
}

/** Where values come from: the grids they lie on, or the row that took them off. */
export type Origin = { readonly grids: readonly TracedGrid[] } | { readonly madeBy: string };

const { reshape, permute, expand, slice, concat, pad } = layoutRows;
const always = () => true;

/** Rows that only move the values they are given, or choose among them and 0, and on which attributes they do. */
const KEEP_GRIDS: ReadonlyMap<unknown, (attrs: never) => boolean> = new Map<unknown, (attrs: never) => boolean>([
  ...[
    reshape,
    permute,
    expand,
    slice,
    concat,
    imageRows.upsampleNearest,
    relu.row,
    maximum.row,
    minimum.row,
    reductionRows.max,
  ].map((row) => [row, always] as const),
  [pad, ({ value }: { readonly value: number }) => value === 0],
  // Taps further apart than one pixel may all be padding, which is −∞.
  [imageRows.maxPool2d, ({ dilation }: Window) => dilation.every((step) => step === 1)],
]);

/** Rows that carry out dot products. */
const PRODUCTS: ReadonlySet<Row<never>> = new Set<Row<never>>([
  ...Object.values(convolutionRows),
  ...Object.values(linearRows),
] as Row<never>[]);

/**
 * Follows values through the rows of a forward pass: those that a quantizer has rounded lie on its grid, and stay there
 * as long as rows only move or choose them. What is told so holds for every input of the shape, since no row's value
 * decides which row comes next.
 */
export class GridTrace {
  /** Rows of dot products that ran in the open. */
  readonly products: string[] = [];
  readonly #origins = new WeakMap<Storage, Origin>();
  readonly #scales: Tensor[] = [];
  readonly #weighted: WeightedTrace;
  #hidden = 0;

  /** @param data what the forward pass is given */
  constructor(data: View) {
    this.#weighted = new WeightedTrace(data);
  }

  readonly see: RowWatcher = (row, inputs, outputs, attrs) => {
    const sums = this.#weighted.see(row, inputs, outputs, attrs);
    if (this.#hidden > 0) return;
    if (PRODUCTS.has(row)) this.products.push(row.name);
    if (sums) this.products.push('sum of weighted values');
    const origin = this.#originOf(row, inputs, attrs);
    for (const { storage } of outputs) this.#origins.set(storage, origin);
  };

  /** Runs `work` unseen. */
  hide<T>(work: () => T): T {
    this.#hidden += 1;
    try {
      return work();
    } finally {
      this.#hidden -= 1;
    }
  }

  of({ storage }: View): Origin {
    return this.#origins.get(storage) ?? { madeBy: 'no function of tensors: an input or a constant' };
  }

  dispose(): void {
    dispose(this.#scales);
  }

  #originOf(row: Row<never>, inputs: readonly View[], attrs: unknown): Origin {
    if (row === (quantizationRows.fakeQuantize as unknown)) {
      const { low, high } = attrs as QuantGrid;
      const scale = keep(copyOf(inputs[1]));
      this.#scales.push(scale);
      return { grids: [{ low, high, scale }] };
    }
    if (!KEEP_GRIDS.get(row)?.(attrs as never)) return { madeBy: row.name };
    const origins = inputs.map((x) => this.of(x));
    const lost = origins.find((origin) => 'madeBy' in origin);
    return lost ?? { grids: origins.flatMap((origin) => ('grids' in origin ? origin.grids : [])) };
  }
}
