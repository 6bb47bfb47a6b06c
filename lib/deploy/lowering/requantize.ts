import { quantizationRows } from '../../autograd/rows/quantization.js';
import type { QuantGrid } from '../../kernels/fast.js';
import { tensor } from '../../tensor/create.js';
import { scope } from '../../tensor/storage.js';
import type { Home } from '../../tensor/view.js';
import type { FixedPointNode, RequantizeNode, ThresholdNode } from '../graph/graph.js';
import { type ChannelRange, extremesOf } from '../graph/ranges.js';
import { multiplyAndShift } from '../graph/requantize.js';
import { findThresholds, type Thresholds, type Transfer } from '../graph/thresholds.js';
import { hostValues } from '../hostValues.js';
import type { GraphBuilder } from './builder.js';
import { fixedPoint } from './fixedPoint.js';
import { affineOf, constant, type Program, runProgram, step, variesByChannel } from './program.js';
import type { Unnamed } from './unnamed.js';

/** How accumulators become the integers of the next grid. */
export type Requantization = 'thresholds' | 'fixed';

/** The grid that a quantizer rounds to. */
export interface TargetGrid extends QuantGrid {
  /** s, as the backend holds it. */
  readonly scale: number;
}

/** What stands between a value and a quantizer. */
export interface Requantized {
  /** The value whose integers the program is run on. */
  readonly source: string;
  readonly program: Program;
  readonly grid: TargetGrid;
}

/** A requantization without a name, and what an error of it should say. */
export interface RequantizeOptions {
  /** `none` leaves the place of the numbers empty: for who only wants to know the values. */
  readonly mode: Requantization | 'none';
  readonly home: Home;
  readonly name: string;
}

/** Adds the node that does what a program and the quantizer behind it do. @returns the name of its value */
export function addRequantization(builder: GraphBuilder, what: Requantized, options: RequantizeOptions): string {
  const { source, program, grid } = what;
  const { name, mode } = options;
  const { low, high, scale } = grid;
  const common = { op: 'requantize', inputs: [source], low, high, scale } as const;
  if (mode === 'none') return builder.add(name, { ...common, ...emptyNode(builder, name) });
  const channels = variesByChannel(program) ? (builder.shapes.get(source) as readonly number[])[1] : 1;
  const reach = reachOf(builder.range(source), channels);
  const transfer = transferOf(program, grid, options.home, channels);
  const node: Unnamed<RequantizeNode> =
    mode === 'thresholds'
      ? { ...common, ...thresholdNode(builder, name, findThresholds(transfer, reach, grid)) }
      : { ...common, ...fixedNode(builder, name, { program, grid, reach, transfer }) };
  return builder.add(name, node);
}

/** Each channel's range, or that of all together where one row serves them. */
function reachOf(range: ChannelRange, channels: number): ChannelRange {
  const { low, high } = extremesOf(range);
  if (channels === 1) return { low: Float64Array.of(low), high: Float64Array.of(high) };
  if (range.low.length === channels) return range;
  return { low: new Float64Array(channels).fill(low), high: new Float64Array(channels).fill(high) };
}

/** The rows of the model, and its quantizer's, run on accumulators. */
function transferOf(program: Program, grid: TargetGrid, home: Home, channels: number): Transfer {
  const { low, high, relu } = grid;
  const rounded = step(
    quantizationRows.fakeQuantize as never,
    { low, high, ...(relu === undefined ? {} : { relu }) },
    program,
    constant([grid.scale]),
  );
  return (a, n) =>
    scope(() => {
      const values = runProgram(rounded, tensor(a, [n, channels], home));
      const host = hostValues('lower', values);
      return Float64Array.from(host, (value) => Math.round(value / grid.scale));
    });
}

function emptyNode(builder: GraphBuilder, name: string) {
  return thresholdNode(builder, name, {
    thresholds: { shape: [1, 0], data: new Int8Array(0) },
    sign: { shape: [1], data: Int8Array.of(1) },
    base: { shape: [1], data: new Int8Array(1) },
  });
}

function thresholdNode(builder: GraphBuilder, name: string, { thresholds, sign, base }: Thresholds) {
  return {
    mode: 'thresholds',
    thresholds: builder.keep(`${name}.thresholds`, thresholds.shape, thresholds.data),
    sign: builder.keep(`${name}.sign`, sign.shape, sign.data),
    base: builder.keep(`${name}.base`, base.shape, base.data),
  } as const satisfies Partial<ThresholdNode>;
}

interface FixedTask {
  readonly program: Program;
  readonly grid: TargetGrid;
  readonly reach: ChannelRange;
  readonly transfer: Transfer;
}

/** Most accumulators of a channel that multiplier and shift are held to one by one; of more, evenly many. */
const COMPARED = 4096;

function fixedNode(builder: GraphBuilder, name: string, { program, grid, reach, transfer }: FixedTask) {
  const channels = reach.low.length;
  const affine = affineOf(program, channels);
  if (affine === null || affine.floor > Math.max(0, grid.low * grid.scale)) {
    builder.fail(name, 'is no multiplication and addition, which is all that fixed point can do: use thresholds');
  }
  const steps = (values: Float64Array) => values.map((value) => value / grid.scale);
  const numbers = fixedPoint({ ...affine, slope: steps(affine.slope), intercept: steps(affine.intercept) }, reach);
  const floor = affine.floor === 0 ? Math.max(0, grid.low) : grid.low;
  let error = 0;
  for (let i = 0; i < COMPARED; i++) {
    const a = Float64Array.from(reach.low, (low, c) => Math.round(low + ((reach.high[c] - low) * i) / (COMPARED - 1)));
    const wanted = transfer(a, 1);
    for (let c = 0; c < channels; c++) {
      const given = Math.min(grid.high, Math.max(floor, multiplyAndShift(numbers, c, a[c])));
      error = Math.max(error, Math.abs(given - wanted[c]));
    }
  }
  return {
    mode: 'fixed',
    low: floor,
    lift: numbers.lift,
    multiplier: builder.keep(`${name}.multiplier`, [channels], numbers.multiplier),
    offset: builder.keep(`${name}.offset`, [channels], numbers.offset),
    shift: builder.keep(`${name}.shift`, [channels], numbers.shift),
    error,
  } as const satisfies Partial<FixedPointNode>;
}
