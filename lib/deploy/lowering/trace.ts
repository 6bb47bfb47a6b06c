import type { Row, RowWatcher } from '../../autograd/row.js';
import { convolutionRows } from '../../autograd/rows/convolution.js';
import { add, mul, relu } from '../../autograd/rows/elementwise.js';
import { imageRows } from '../../autograd/rows/images.js';
import { layoutRows } from '../../autograd/rows/layout.js';
import { quantizationRows } from '../../autograd/rows/quantization.js';
import { type Axes, reductionRows } from '../../autograd/rows/reduction.js';
import type { QuantGrid } from '../../kernels/fast.js';
import type { ConvGeometry, Window } from '../../kernels/geometry.js';
import type { QuantLayer } from '../../quant/layers.js';
import { formatShape } from '../../tensor/errors.js';
import { sameShape } from '../../tensor/shape.js';
import type { Storage } from '../../tensor/storage.js';
import type { Tensor } from '../../tensor/tensor.js';
import type { View } from '../../tensor/view.js';
import type { GraphNode } from '../graph/graph.js';
import { extremesOf } from '../graph/ranges.js';
import { hostValues } from '../hostValues.js';
import type { GraphBuilder } from './builder.js';
import { type Constant, constant, type Program, SOURCE, scaled, step } from './program.js';
import { addRequantization, type Requantization } from './requantize.js';
import { rises, shows } from './rows.js';
import type { Unnamed } from './unnamed.js';

/** Moves values without changing them, or chooses among them: what may come before a quantizer as well as after it. */
export type Move = Unnamed<Extract<GraphNode, { op: 'maxPool' | 'upsample' | 'reshape' | 'permute' }>>;

/** What the trace knows of a tensor that depends on the input: what it does to the integers of a value. */
export interface Traced {
  /** The value; null for the input itself, before any quantizer. */
  readonly source: string | null;
  readonly program: Program;
  /** The step, if the tensor lies on a grid: the program is a multiplication by it. */
  readonly step: number | null;
  /** Done to the integers of the next quantizer, in place of those of the accumulator. */
  readonly moves: readonly Move[];
}

/** What a trace needs besides the rows it sees. */
export interface TraceOptions {
  readonly builder: GraphBuilder;
  readonly mode: Requantization | 'none';
  /** Sees every tensor that holds the integers of a value, times their step: one, or one for each channel. */
  readonly onValue?: (value: string, x: View, steps: ArrayLike<number>) => void;
  /** What the model is given. */
  readonly example: Tensor;
  /** The innermost module at work, for names and errors. */
  readonly where: () => string;
}

/** Follows one forward pass row by row and makes the graph of it. */
export class GraphTrace {
  readonly #known = new WeakMap<Storage, { readonly view: View; readonly traced: Traced }[]>();
  readonly #builder: GraphBuilder;
  readonly #mode: TraceOptions['mode'];
  readonly #onValue: TraceOptions['onValue'];
  readonly #example: Tensor;
  readonly #where: () => string;
  #hidden = 0;

  constructor({ builder, mode, onValue, example, where }: TraceOptions) {
    this.#builder = builder;
    this.#mode = mode;
    this.#onValue = onValue;
    this.#example = example;
    this.#where = where;
    this.#note(example, { source: null, program: SOURCE, step: null, moves: [] });
  }

  /** Runs `work` unseen. */
  hide<T>(work: () => T): T {
    this.#hidden += 1;
    try {
      return work();
    } finally {
      this.#hidden -= 1;
    }
  }

  readonly see: RowWatcher = (row, inputs, outputs, attrs) => {
    if (this.#hidden > 0) return;
    const traced = inputs.map((x) => this.of(x));
    if (traced.every((each) => each === null)) return;
    this.#note(outputs[0], this.#follow(row, inputs, traced, outputs[0], attrs));
  };

  /** What is known of a tensor; null if it does not depend on the input. */
  of(x: View): Traced | null {
    const known = this.#known.get(x.storage);
    if (known === undefined) return null;
    const found = known.find(({ view }) => shows(x, view));
    return found ? found.traced : this.#fail('looks at a part of a value, which has no form in integers');
  }

  /** The product of a layer: its input must lie on the layer's grid. @param steps s_x·s_w of each channel */
  product(layer: QuantLayer, x: Tensor, y: Tensor, node: (input: string) => Unnamed<GraphNode>, steps: View): void {
    const input = this.of(x);
    const { low, high } = layer.input.range;
    const step = this.hide(() => hostValues('lower', layer.input.scale())[0]);
    if (input === null || input.source === null || input.step === null) {
      this.#fail('multiplies values that no quantizer has put on a grid');
    }
    const range = extremesOf(this.#builder.range(input.source));
    if (input.step !== step || range.low < low || range.high > high) {
      const own = `${range.low} … ${range.high} in steps of ${input.step}`;
      this.#fail(`its inputs are ${own}; the quantizer it names has ${low} … ${high} in steps of ${step}`);
    }
    const source = this.#builder.add(this.#where(), node(input.source));
    const perChannel = hostValues('lower', steps).slice();
    this.#note(y, { source, program: scaled(perChannel), step: null, moves: [] });
    this.#onValue?.(source, y, perChannel);
  }

  #fail(problem: string): never {
    return this.#builder.fail(this.#where(), problem);
  }

  #note(view: View, traced: Traced): void {
    const known = this.#known.get(view.storage) ?? [];
    this.#known.set(view.storage, [{ view, traced }, ...known]);
    const { source, step, moves } = traced;
    if (source !== null && step !== null && moves.length === 0) this.#onValue?.(source, view, [step]);
  }

  #follow(
    row: Row<never>,
    inputs: readonly View[],
    traced: readonly (Traced | null)[],
    out: View,
    attrs: unknown,
  ): Traced {
    const [first] = traced;
    const is = (other: unknown) => row === other;
    if (is(quantizationRows.fakeQuantize) && first) return this.#quantize(first, inputs, attrs as QuantGrid);
    if (is(layoutRows.concat)) return this.#concat(traced, (attrs as { readonly axis: number }).axis);
    if (is(layoutRows.reshape) && first) return this.#reshape(first, inputs[0], out);
    if (is(layoutRows.permute) && first) {
      const { axes } = attrs as { readonly axes: readonly number[] };
      if (axes[0] !== 0) this.#fail('permutes the batch axis');
      return this.#move(first, { op: 'permute', inputs: [], axes });
    }
    if ((is(layoutRows.expand) || is(layoutRows.slice) || is(layoutRows.pad)) && first) {
      if (sameShape(inputs[0].shape, out.shape)) return first;
    }
    if (is(imageRows.maxPool2d) && first) {
      const { kernel, stride, padding, dilation } = attrs as Window;
      return this.#move(first, { op: 'maxPool', inputs: [], kernel, stride, padding, dilation });
    }
    if (is(imageRows.upsampleNearest) && first) {
      const { factor } = attrs as { readonly factor: number };
      return this.#move(first, { op: 'upsample', inputs: [], factor });
    }
    if (is(reductionRows.sum) && first) return this.#sumPlanes(first, inputs[0], (attrs as Axes).axes);
    if (is(convolutionRows.conv2d) && first && !traced[1]) {
      return this.#averagePool(first, inputs, attrs as ConvGeometry);
    }
    if (row.shape === 'broadcast') return this.#elementwise(row, inputs, traced, attrs);
    return this.#fail(`calls ${row.name}, which has no form in integers here`);
  }

  #quantize(x: Traced, [view, scaleView]: readonly View[], grid: QuantGrid): Traced {
    if (this.of(scaleView)) this.#fail('quantizes by a scale that depends on the input');
    const [scale] = hostValues('lower', scaleView);
    const name = this.#where();
    if (!(scale > 0 && scale < Number.POSITIVE_INFINITY)) this.#fail(`quantizes by a scale of ${scale}`);
    let source: string;
    if (x.source === null) {
      if (x.program !== SOURCE) this.#fail('the input is computed with before it is quantized');
      source = this.#builder.input({ low: grid.low, high: grid.high, scale }, this.#example.shape);
    } else {
      const { low, high } = extremesOf(this.#builder.range(x.source));
      const same = x.step === scale && low >= grid.low && high <= grid.high;
      const home = { dtype: view.storage.dtype, device: view.storage.device };
      const what = { source: x.source, program: x.program, grid: { ...grid, scale } };
      source = same ? x.source : addRequantization(this.#builder, what, { mode: this.#mode, home, name });
    }
    for (const move of x.moves) source = this.#builder.add(`${name}.${move.op}`, { ...move, inputs: [source] });
    return { source, program: scaled([scale]), step: scale, moves: [] };
  }

  /** Moves what lies on a grid at once; else the next quantizer's integers. */
  #move(x: Traced, move: Move): Traced {
    if (x.source === null || x.step === null) return { ...x, moves: [...x.moves, move] };
    const named = move.op === 'reshape' || move.op === 'permute' ? `${x.source}.${move.op}` : this.#named(move.op);
    return { ...x, source: this.#builder.add(named, { ...move, inputs: [x.source] }) };
  }

  #reshape(x: Traced, from: View, { shape }: View): Traced {
    if (sameShape(from.shape, shape)) return x;
    if (shape[0] !== from.shape[0]) this.#fail(`reshapes ${formatShape(from.shape)} across the batch axis`);
    const rest = shape.slice(1);
    const spatial = this.#example.rank === 4 && from.shape.length === 4;
    const extents = spatial && rest.length === 1 ? [-1] : rest;
    return this.#move(x, { op: 'reshape', inputs: [], shape: extents });
  }

  #concat(traced: readonly (Traced | null)[], axis: number): Traced {
    const sources = traced.map((x) => {
      if (x?.source == null || x.step === null) return this.#fail('concatenates values that are on no grid');
      if (x.step !== traced[0]?.step) return this.#fail('concatenates values of different scales: use one quantizer');
      return x.source;
    });
    if (axis !== 1) this.#fail(`concatenates along axis ${axis}; channels are axis 1`);
    return {
      ...(traced[0] as Traced),
      source: this.#builder.add(this.#named('concat'), { op: 'concat', inputs: sources }),
    };
  }

  #sumPlanes(x: Traced, { shape }: View, axes: readonly number[]): Traced {
    if (x.source === null || x.step === null) return this.#fail('sums values that are on no grid: quantize them first');
    if (shape.length !== 4 || axes.join() !== '2,3') {
      return this.#fail(
        `sums ${formatShape(shape)} along axes ${axes.join(', ')}; only planes of images can be summed`,
      );
    }
    const window = { kernel: null, stride: [1, 1], padding: [0, 0], dilation: [1, 1] } as const;
    const source = this.#builder.add(this.#named('sum'), { op: 'sumPool', inputs: [x.source], ...window });
    return { ...x, source };
  }

  /** A convolution of each channel with equal weights is a sum over windows, times that weight. */
  #averagePool(
    x: Traced,
    [image, weights]: readonly View[],
    { groups, stride, padding, dilation }: ConvGeometry,
  ): Traced {
    const host = hostValues('lower', weights);
    const [channels, perGroup, ...kernel] = weights.shape;
    const uniform =
      perGroup === 1 && channels === image.shape[1] && groups === channels && host.every((w) => w === host[0]);
    if (!uniform) return this.#fail('convolves with weights that are not quantized');
    if (x.source === null || x.step === null)
      return this.#fail('averages values that are on no grid: quantize them first');
    const window = { kernel: [kernel[0], kernel[1]] as const, stride, padding, dilation };
    const source = this.#builder.add(this.#named('sum'), { op: 'sumPool', inputs: [x.source], ...window });
    return { ...x, source, program: step(mul.row as never, {}, x.program, constant([host[0]])), step: null };
  }

  #elementwise(row: Row<never>, inputs: readonly View[], traced: readonly (Traced | null)[], attrs: unknown): Traced {
    const data = traced.filter((x) => x !== null);
    const [x] = data;
    for (const [i, each] of traced.entries()) {
      if (each && inputs[i].strides.some((stride, axis) => stride === 0 && inputs[i].shape[axis] > 1)) {
        this.#fail(`broadcasts a value in ${row.name}`);
      }
    }
    if (row === (add.row as unknown) && data.length === 2 && data[0].source !== data[1].source) return this.#add(data);
    if (data.some(({ source, moves }) => source !== x.source || moves !== x.moves)) {
      return this.#fail(`calls ${row.name} of two values that are not on one grid`);
    }
    if (row === (relu.row as unknown) && x.step !== null && x.source !== null) {
      if (extremesOf(this.#builder.range(x.source)).low >= 0) return x;
    }
    const programs = inputs.map((view, i) => traced[i]?.program ?? this.#constant(view, x, row.name));
    if (x.moves.some(({ op }) => op === 'maxPool') && !rises(row, traced, programs)) {
      this.#fail(`calls ${row.name} between a max-pool and a quantizer: quantize before pooling`);
    }
    return { ...x, program: step(row, attrs, ...programs), step: null };
  }

  /** The sum of two values on one grid is a sum of integers. */
  #add(data: readonly Traced[]): Traced {
    const [a, b] = data;
    if (a.source === null || b.source === null || a.step === null || a.step !== b.step) {
      return this.#fail('adds values that are not on one grid: put both through one quantizer first (QuantAdd)');
    }
    const source = this.#builder.add(this.#named('sum'), { op: 'add', inputs: [a.source, b.source] });
    return { ...a, source };
  }

  /** The numbers of a constant operand: one, or one a channel. */
  #constant(view: View, x: Traced, op: string): Constant {
    const { shape, strides } = view;
    const varies = shape.map((extent, axis) => extent > 1 && strides[axis] !== 0);
    if (varies.some((each, axis) => each && axis !== 1)) {
      const host = hostValues('lower', view);
      if (host.every((value) => value === host[0])) return constant([host[0]]);
      return this.#fail(`calls ${op} with numbers that differ within a channel, of shape ${formatShape(shape)}`);
    }
    if (!varies[1]) return constant([hostValues('lower', view)[0]]);
    if (x.moves.some(({ op: moved }) => moved === 'permute' || moved === 'reshape') && !this.#keepsChannels(x, shape)) {
      this.#fail(`calls ${op} per channel after channels were moved and before a quantizer`);
    }
    const plane = shape.slice(2).reduce((product, extent) => product * extent, 1);
    const host = hostValues('lower', view);
    return constant(Float64Array.from({ length: shape[1] }, (_, c) => host[c * plane]));
  }

  /** Whether axis 1 is still that of the source: flattening `[N, C, 1, 1]` keeps it. */
  #keepsChannels({ source, moves }: Traced, shape: readonly number[]): boolean {
    const own = source === null ? this.#example.shape : (this.#builder.shapes.get(source) as readonly number[]);
    return moves.every(({ op }) => op !== 'permute') && own[1] === shape[1];
  }

  #named(what: string): string {
    const where = this.#where();
    return where === '' ? what : `${where}.${what}`;
  }
}
