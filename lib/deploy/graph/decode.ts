import { byteTables } from '../../data/normalise.js';
import { asInstance, asList, asOptions } from '../../tensor/argument.js';
import { DataError, formatShape } from '../../tensor/errors.js';
import { roundHalfEven } from '../../tensor/float32.js';
import { sizeOf } from '../../tensor/shape.js';
import type { IntegerValue } from '../runtime/reference.js';
import { asGraph } from './argument.js';
import type { DecodeStep, GraphInput, GraphTask, IntegerGraph } from './graph.js';

/** Where integers and real numbers meet, at the input and at the output of a network: the definitions of graph.ts. */

/**
 * Real inputs on the grid of a network's input.
 * @param values float32 `[N, …]`, as the trained network takes them @param shape theirs
 * @throws DataError if they do not fill the shape, or one is NaN
 */
export function quantizeInput(graph: IntegerGraph, values: Float32Array, shape: readonly number[]): IntegerValue {
  const { input } = asGraph('quantizeInput', graph);
  asInstance('quantizeInput', 'values', values, Float32Array);
  const size = sizeOf(asList('quantizeInput', 'shape', shape));
  if (size !== values.length) {
    throw new DataError('quantizeInput', `shape ${formatShape(shape)} has ${size} values; got ${values.length}`);
  }
  return { shape, data: Int32Array.from(values, (x) => onGrid(input, x)) };
}

function onGrid({ scale, low, high }: GraphInput, x: number): number {
  if (Number.isNaN(x)) throw new DataError('quantizeInput', 'an input is NaN');
  return Math.min(high, Math.max(low, roundHalfEven(Math.fround(x / scale))));
}

/**
 * The integers that the 256 values of a byte become, for each channel of a picture: the way from pixels into a network
 * without a real number.
 * @throws DataError if it is not known what pixels mean to the network
 */
export function pixelTables(graph: IntegerGraph): Int32Array[] {
  const { input } = asGraph('pixelTables', graph);
  const { pixels } = asTask('pixelTables', graph);
  return byteTables(pixels).map((table) => Int32Array.from(table, (x) => onGrid(input, x)));
}

/** @throws DataError if the network does not say what it is for */
export function asTask(op: string, { task }: IntegerGraph): GraphTask {
  if (task === null) throw new DataError(op, 'this network does not say what it is for; give it integers');
  return task;
}

/** One operation on two float32 numbers, in doubles: rounded as it is stored, it is float32's own. */
const STEPS: Readonly<Record<DecodeStep['op'], (x: number, value: number) => number>> = {
  multiply: (x, value) => x * value,
  divide: (x, value) => x / value,
  add: (x, value) => x + value,
  maximum: Math.max,
};

/**
 * What the integers of a network's output are worth: the numbers that the trained network gives.
 * @param value `[N, C, …]`, from a runtime
 * @returns float32, of the same shape
 */
export function decodeOutput(graph: IntegerGraph, value: IntegerValue): Float32Array {
  const { output } = asGraph('decodeOutput', graph);
  const { shape, data } = asOptions('decodeOutput', value, 'the value');
  asInstance('decodeOutput', 'the data of the value', data, Int32Array);
  const [, channels, ...rest] = asList('decodeOutput', 'the shape of the value', shape);
  const area = sizeOf(rest);
  if (sizeOf(shape) !== data.length) {
    throw new DataError('decodeOutput', `shape ${formatShape(shape)} has ${sizeOf(shape)} values; got ${data.length}`);
  }
  const out = Float32Array.from(data);
  for (const { op, values } of output.decode) {
    if (values.length !== 1 && values.length !== channels) {
      throw new DataError('decodeOutput', `the network has ${values.length} channels; got ${formatShape(shape)}`);
    }
    const step = STEPS[op];
    for (let i = 0; i < out.length; i++) {
      out[i] = step(out[i], Math.fround(values[values.length === 1 ? 0 : Math.floor(i / area) % channels]));
    }
  }
  return out;
}
