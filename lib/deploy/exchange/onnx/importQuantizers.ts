import { formatShape } from '../../../tensor/errors.js';
import { roundHalfEven } from '../../../tensor/float32.js';
import {
  constantAt,
  type Inputs,
  noZeroPoint,
  numberAt,
  optionalAt,
  type Reader,
  tracedAt,
} from './importArguments.js';
import { scaled } from './importElementwise.js';
import type { Importer } from './importer.js';
import type { ImportNode } from './importNode.js';
import { quantize, type Rounding } from './importProgram.js';
import { rangeOfType } from './importTypes.js';
import { type Constant, constant, type Grid, type Traced, type Value } from './importValues.js';
import { elementType } from './tensors.js';

/** QONNX's roundings. */
const ROUNDINGS: Readonly<Record<string, (x: number) => number>> = {
  ROUND: roundHalfEven,
  HALF_EVEN: roundHalfEven,
  CEIL: Math.ceil,
  FLOOR: Math.floor,
  UP: (x) => Math.sign(x) * Math.ceil(Math.abs(x)),
  DOWN: Math.trunc,
  HALF_UP: (x) => Math.sign(x) * Math.floor(Math.abs(x) + 0.5),
  HALF_DOWN: (x) => Math.sign(x) * Math.ceil(Math.abs(x) - 0.5),
};

/** A quantizer without the form that its scale takes. */
interface Quantizer extends Omit<Rounding, 'scale'> {
  readonly scale: Constant;
  /** Of the integers. */
  readonly bits: number | null;
}

/** QONNX's `Quant`, by either name. */
const quant: Reader = (node, inputs, importer) => {
  const scale = positive(node, constantAt(node, inputs, 1, 'scale'));
  noZeroPoint(node, inputs, 2);
  const bits = numberAt(node, inputs, 3, 'bit width');
  if (!Number.isInteger(bits) || bits < 1 || bits > 32) node.fail(`has a bit width of ${bits}; 1 … 32 are read`);
  const signed = node.int('signed', 1) !== 0;
  const narrow = node.int('narrow', 0) !== 0 ? 1 : 0;
  if (bits === 1 && signed) return bipolar(node, inputs, importer);
  const mode = node.string('rounding_mode', 'ROUND').toUpperCase();
  const round = ROUNDINGS[mode] ?? node.fail(`rounds by ${mode}, which is not known`);
  const [low, high] = signed ? [-(2 ** (bits - 1)) + narrow, 2 ** (bits - 1) - 1] : [0, 2 ** bits - 1 - narrow];
  if (low >= high) node.fail('has a grid of one integer');
  return rounded(node, inputs, importer, { scale, low, high, round, bits, keepsIntegers: false });
};

const bipolar: Reader = (node, inputs, importer) => {
  const scale = positive(node, constantAt(node, inputs, 1, 'scale'));
  const sign = (x: number) => (x >= 0 ? 1 : -1);
  const infinite = { low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY };
  const made = rounded(node, inputs, importer, { ...infinite, scale, round: sign, bits: 2, keepsIntegers: false });
  return made.kind === 'traced' && made.grid ? { ...made, grid: { ...made.grid, low: -1, high: 1 } } : made;
};

const quantizeLinear: Reader = (node, inputs, importer) => {
  const given = constantAt(node, inputs, 1, 'scale');
  const scale = alongAxis(node, positive(node, given), inputs[0]);
  noZeroPoint(node, inputs, 2);
  const point = optionalAt(node, inputs, 2, 'zero point');
  const code = node.int('output_dtype', 0);
  const type = code === 0 ? (point?.type ?? 'uint8') : elementType(code);
  if (type === null) return node.fail(`makes the element type ${code}, which is not read`);
  const [low, high] = rangeOfType(node, type);
  const made = rounded(node, inputs, importer, {
    ...{ scale, low, high, bits: null },
    round: roundHalfEven,
    keepsIntegers: true,
  });
  return made.kind === 'constant' ? { ...made, type } : made;
};

const dequantizeLinear: Reader = (node, inputs, importer) => {
  const [x] = inputs;
  const scale = alongAxis(node, positive(node, constantAt(node, inputs, 1, 'scale')), x);
  noZeroPoint(node, inputs, 2);
  if (x?.kind !== 'constant') {
    return { ...scaled(node, importer, tracedAt(node, inputs, 0), scale), integer: false };
  }
  const scales = importer.spread(node, scale, x.shape);
  const data = Float64Array.from(x.data, (q, i) => q * scales[i]);
  const steps = x.steps ? Float64Array.from(x.steps, (step, i) => step * scales[i]) : scales;
  return { ...constant(x.shape, data), steps, bits: x.bits };
};

/** FINN's thresholds: `out_scale · #{t : x ≥ t} + out_bias`. */
const multiThreshold: Reader = (node, inputs, importer) => {
  const x = tracedAt(node, inputs, 0);
  const { shape, data } = constantAt(node, inputs, 1, 'table of thresholds');
  const [rows, count] = shape;
  if (shape.length !== 2 || count < 1) node.fail(`has thresholds of shape ${formatShape(shape)}; [C, T] is read`);
  if (node.string('data_layout', 'NCHW') !== 'NCHW' && x.shape.length !== 2) node.fail('reads channels last');
  if (rows !== 1 && rows !== x.shape[1]) node.fail(`has thresholds for ${rows} channels of ${x.shape[1]}`);
  const outScale = node.float('out_scale', 1);
  const outBias = node.float('out_bias', 0);
  if (outScale <= 0) node.fail(`has an out_scale of ${outScale}`);
  const table = Array.from({ length: rows }, (_, row) =>
    Float64Array.from({ length: count }, (_, k) => data[row * count + k]),
  );
  return importer.count(node, x, table, { outScale, outBias });
};

export const QUANTIZERS = {
  Quant: quant,
  IntQuant: quant,
  BipolarQuant: bipolar,
  MultiThreshold: multiThreshold,
} as const satisfies Record<string, Reader>;

export const LINEAR_QUANTIZERS = {
  QuantizeLinear: quantizeLinear,
  DequantizeLinear: dequantizeLinear,
} as const satisfies Record<string, Reader>;

/** @throws DataError unless all numbers of a scale are positive and finite */
function positive(node: ImportNode, scale: Constant): Constant {
  const bad = Array.from(scale.data).find((value) => !(value > 0 && value < Number.POSITIVE_INFINITY));
  return bad === undefined && scale.data.length > 0 ? scale : node.fail(`has a scale of ${bad ?? 'no numbers'}`);
}

/** ONNX's scales `[C]` along an axis, in a shape that broadcasts. */
function alongAxis(node: ImportNode, scale: Constant, x: Value | null | undefined): Constant {
  if (node.int('block_size', 0) !== 0) node.fail('has scales of blocks, which are not read');
  if (scale.data.length === 1 || !x) return { ...scale, shape: scale.data.length === 1 ? [] : scale.shape };
  const rank = x.shape.length;
  const axis = node.int('axis', 1);
  const own = axis < 0 ? axis + rank : axis;
  if (scale.shape.length !== 1 || scale.shape[0] !== x.shape[own]) {
    return node.fail(`has scales of shape ${formatShape(scale.shape)} for axis ${axis} of ${formatShape(x.shape)}`);
  }
  return { ...scale, shape: x.shape.map((extent, i) => (i === own ? extent : 1)) };
}

/** Rounds numbers that the file knows, or a value. */
function rounded(node: ImportNode, inputs: Inputs, importer: Importer, quantizer: Quantizer): Value {
  const x = inputs[0] ?? node.fail('has no input');
  const { scale, bits, low, high, round, keepsIntegers } = quantizer;
  if (x.kind === 'constant') {
    const scales = importer.spread(node, scale, x.shape);
    const q = Float64Array.from(x.data, (value, i) => round(Math.min(high, Math.max(low, value / scales[i]))));
    const data = keepsIntegers ? q : q.map((value, i) => value * scales[i]);
    return { ...constant(x.shape, data), steps: keepsIntegers ? q.map(() => 1) : scales, bits };
  }
  const traced = tracedAt(node, inputs, 0);
  if (traced.source === null) return ofInput(node, traced, importer, quantizer);
  const scales = importer.operand(node, traced, scale);
  const step = quantize({ ...quantizer, scale: scales });
  if (scales.length > 1) return { ...importer.follow(node, traced, step, null), integer: keepsIntegers };
  const { grid } = traced;
  const worth = keepsIntegers ? 1 : scales[0];
  const kept = grid !== null && grid.step === scales[0] && grid.low >= low && grid.high <= high;
  const onto: Grid = kept ? { ...grid, step: worth } : { step: worth, low, high, name: node.name };
  const followed = importer.follow(node, traced, step, onto);
  return { ...followed, plain: kept && traced.plain, integer: keepsIntegers };
}

/** The quantizer that makes the network's input integers: limits before it narrow its grid, a factor its scale. */
function ofInput(node: ImportNode, x: Traced, importer: Importer, quantizer: Quantizer): Traced {
  const { scale, round, keepsIntegers } = quantizer;
  if (scale.data.length !== 1) node.fail('puts the input of the network on more than one grid');
  if (round !== roundHalfEven) node.fail('rounds the input of the network other than to the nearest, half to even');
  let { low, high } = quantizer;
  let step = scale.data[0];
  for (const { label, limits, factor, divisor } of [...x.program].reverse()) {
    if (limits) {
      low = Math.max(low, roundHalfEven(limits.low / step));
      high = Math.min(high, roundHalfEven(limits.high / step));
    } else if (step === 1 && divisor !== undefined && divisor > 0) {
      step = divisor;
    } else if ((factor ?? divisor ?? 0) > 0) {
      step = factor === undefined ? step * (divisor ?? 1) : step / factor;
      importer.notes.add('a factor before the first quantizer is part of the scale of the input');
    } else {
      node.fail(`quantizes an input that ${label} has changed: feed the network what comes after ${label}`);
    }
  }
  if (low > 0 || high < 0 || low === high) node.fail(`leaves the input ${low} … ${high}, which must hold 0`);
  const made = importer.input(node, { low, high, scale: step }, x);
  return importer.plain(made.source, { step: keepsIntegers ? 1 : scale.data[0], integer: keepsIntegers });
}
