import type { Row } from '../autograd/row.js';
import { convolutionRows } from '../autograd/rows/convolution.js';
import { div, mul } from '../autograd/rows/elementwise.js';
import { linearRows } from '../autograd/rows/linear.js';
import { quantizationRows } from '../autograd/rows/quantization.js';
import { type Axes, reductionRows } from '../autograd/rows/reduction.js';
import type { Shape } from '../tensor/shape.js';
import type { Storage } from '../tensor/storage.js';
import type { View } from '../tensor/view.js';

/** Of each axis, whether neighbours along it were multiplied by factors of their own. */
type Weighted = readonly boolean[];

/** Rows after which values are no longer single products: they are rounded, or sums that are named by themselves. */
const RESETS: ReadonlySet<unknown> = new Set<unknown>([
  quantizationRows.fakeQuantize,
  ...Object.values(convolutionRows),
  ...Object.values(linearRows),
]);

/**
 * Finds dot products that are written out as sums of products of data with weights. A mean of pixels is none, nor is
 * one of pixels that a batch norm scaled: along the axes it sums, all have one factor.
 */
export class WeightedTrace {
  readonly #data: WeakSet<Storage>;
  /** By storage and shape, since views share their storage. */
  readonly #weighted = new WeakMap<Storage, Map<string, Weighted>>();

  /** @param data what the forward pass is given */
  constructor(data: View) {
    this.#data = new WeakSet([data.storage]);
  }

  /** Follows one row. @returns whether it sums data that were weighted one by one */
  see(row: Row<never>, inputs: readonly View[], outputs: readonly View[], attrs: unknown): boolean {
    if (!inputs.some((x) => this.#data.has(x.storage))) return false;
    for (const { storage } of outputs) this.#data.add(storage);
    if (RESETS.has(row)) return false;
    const axes = row === (reductionRows.sum as unknown) ? (attrs as Axes).axes : [];
    const found = inputs.some((x) => axes.some((axis) => this.#of(x)[axis]));
    for (const output of outputs) this.#mark(output, this.#after(row, inputs, output, axes));
    return found;
  }

  #after(row: Row<never>, inputs: readonly View[], { shape }: View, summed: readonly number[]): Weighted {
    const before = inputs.map((x) => this.#of(x));
    const keepsAxes = row.shape === 'broadcast' || summed.length > 0;
    const fresh = row === (mul.row as unknown) || row === (div.row as unknown) ? this.#factors(inputs) : [];
    const any = before.some((weighted) => weighted.includes(true));
    return shape.map((_, axis) => {
      if (summed.includes(axis)) return false;
      return fresh[axis] || (keepsAxes ? before.some((weighted) => weighted[axis]) : any);
    });
  }

  /** The axes along which both data and weights differ; the inputs have one shape, and strides of 0 where repeated. */
  #factors([a, b]: readonly View[]): Weighted {
    if (this.#data.has(a.storage) && this.#data.has(b.storage)) return [];
    return a.shape.map((extent, axis) => extent > 1 && a.strides[axis] !== 0 && b.strides[axis] !== 0);
  }

  #of({ storage, shape }: View): Weighted {
    const known = this.#weighted.get(storage);
    if (known === undefined) return [];
    const any = [...known.values()].some((weighted) => weighted.includes(true));
    return known.get(keyOf(shape)) ?? shape.map(() => any);
  }

  #mark({ storage, shape }: View, weighted: Weighted): void {
    const known = this.#weighted.get(storage) ?? new Map<string, Weighted>();
    const other = known.get(keyOf(shape));
    known.set(keyOf(shape), other === undefined ? weighted : weighted.map((each, axis) => each || other[axis]));
    this.#weighted.set(storage, known);
  }
}

const keyOf = (shape: Shape) => shape.join();
