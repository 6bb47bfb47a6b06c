import { roundHalfEven } from '../../../tensor/float32.js';
import { constantAt, type Inputs, optionalAt, type Reader, tracedAt } from './importArguments.js';
import type { Importer } from './importer.js';
import type { ImportNode } from './importNode.js';
import { add, batchNorm, divide, leak, limit, multiply, type Step, truncate, unary } from './importProgram.js';
import { rangeOfType } from './importTypes.js';
import type { Constant, Grid, Traced } from './importValues.js';
import { elementType } from './tensors.js';

const { NEGATIVE_INFINITY, POSITIVE_INFINITY } = Number;

/** A value times constants; their grid goes with it if it is one number. */
export function scaled(node: ImportNode, importer: Importer, x: Traced, constants: Constant): Traced {
  return byFactor(node, importer, x, multiply(importer.operand(node, x, constants)));
}

function byFactor(node: ImportNode, importer: Importer, x: Traced, step: Step): Traced {
  const { grid } = x;
  const factor = step.factor ?? step.divisor;
  if (grid === null || factor === undefined || factor === 0 || !Number.isFinite(factor)) {
    return importer.follow(node, x, step, null);
  }
  const ends = factor > 0 ? { low: grid.low, high: grid.high } : { low: -grid.high, high: -grid.low };
  const followed = importer.follow(node, x, step, { ...grid, ...ends, step: Math.abs(step.at(grid.step, 0)) });
  return { ...followed, plain: x.plain && factor > 0 };
}

/** A value plus constants: on its grid if they are whole steps of it. */
function shifted(node: ImportNode, importer: Importer, x: Traced, constants: Constant, sign: 1 | -1): Traced {
  const values = Array.from(importer.operand(node, x, constants), (value) => sign * value);
  const { grid } = x;
  const whole = grid === null ? [] : values.map((value) => value / grid.step);
  const onto: Grid | null =
    grid !== null && whole.every(Number.isInteger)
      ? { ...grid, low: grid.low + Math.min(...whole), high: grid.high + Math.max(...whole), name: node.name }
      : null;
  if (values.every((value) => value === 0)) return x;
  return importer.follow(node, x, add(values), onto);
}

/** A value within limits: on its grid if they are whole steps of it, or out of its reach. */
export function limited(node: ImportNode, importer: Importer, x: Traced, low: number, high: number): Traced {
  if (Number.isNaN(low) || Number.isNaN(high) || low > high) node.fail(`has the limits ${low} and ${high}`);
  const { grid } = x;
  if (grid === null) return importer.follow(node, x, limit(low, high), null);
  const [least, most] = [low / grid.step, high / grid.step];
  if (least <= grid.low && most >= grid.high) return x;
  const whole = (least <= grid.low || Number.isInteger(least)) && (most >= grid.high || Number.isInteger(most));
  const onto = { ...grid, low: Math.max(grid.low, least), high: Math.min(grid.high, most), name: node.name };
  if (whole && node.readsAlone && x.plain && importer.narrowInput(x, onto)) return { ...x, grid: onto };
  return importer.follow(node, x, limit(low, high), whole && onto.low <= onto.high ? onto : null);
}

/** Addition and subtraction of constants, or of two values on one grid. */
const sum =
  (sign: 1 | -1): Reader =>
  (node, inputs, importer) => {
    if (inputs.length !== 2) node.fail(`has ${inputs.length} inputs; two are read`);
    const [a, b] = inputs;
    if (b?.kind === 'constant') return shifted(node, importer, tracedAt(node, inputs, 0), b, sign);
    if (a?.kind === 'constant')
      return shifted(node, importer, signed(node, importer, tracedAt(node, inputs, 1), sign), a, 1);
    return addValues(
      node,
      importer,
      tracedAt(node, inputs, 0),
      signed(node, importer, tracedAt(node, inputs, 1), sign),
    );
  };

function signed(node: ImportNode, importer: Importer, x: Traced, sign: 1 | -1): Traced {
  return sign === 1 ? x : byFactor(node, importer, x, multiply([-1]));
}

/** The sum of two values on one grid is a sum of integers. */
function addValues(node: ImportNode, importer: Importer, a: Traced, b: Traced): Traced {
  const counts = importer.joinCounts(node, a, b);
  if (counts !== null) return counts;
  const [left, right] = [importer.settle(node, a), importer.settle(node, b)];
  const { step } = left.grid;
  if (step !== right.grid.step) {
    node.fail(`adds values whose steps are ${step} and ${right.grid.step}: put both through one quantizer first`);
  }
  const worth = { step, integer: left.integer && right.integer };
  return importer.made(node, node.name, { op: 'add', inputs: [left.source, right.source] }, worth);
}

const product: Reader = (node, inputs, importer) => {
  const i = inputs[0]?.kind === 'constant' ? 1 : 0;
  return scaled(node, importer, tracedAt(node, inputs, i), constantAt(node, inputs, 1 - i, 'factor'));
};

const quotient: Reader = (node, inputs, importer) => {
  const x = tracedAt(node, inputs, 0);
  const by = importer.operand(node, x, constantAt(node, inputs, 1, 'divisor'));
  if (Array.from(by).includes(0)) node.fail('divides by 0');
  if (!x.integer) return byFactor(node, importer, x, divide(by));
  return importer.follow(node, x, truncate(by), wholeNumbers(node));
};

const clip: Reader = (node, inputs, importer) => {
  const bound = (i: number, name: string, otherwise: number) => {
    const given = optionalAt(node, inputs, i, name);
    if (given) return given.data.length === 1 ? given.data[0] : node.fail(`has a ${name} that is no number`);
    return node.has(name) ? node.float(name) : otherwise;
  };
  const x = tracedAt(node, inputs, 0);
  return limited(node, importer, x, bound(1, 'min', NEGATIVE_INFINITY), bound(2, 'max', POSITIVE_INFINITY));
};

/** Maximum or minimum with one constant. */
const extreme =
  (isMaximum: boolean): Reader =>
  (node, inputs, importer) => {
    const i = inputs[0]?.kind === 'constant' ? 1 : 0;
    if (inputs.length !== 2) node.fail(`has ${inputs.length} inputs; two are read`);
    const x = tracedAt(node, inputs, i);
    const [bound, ...more] = Array.from(importer.operand(node, x, constantAt(node, inputs, 1 - i, 'limit')));
    if (more.length > 0) node.fail('has more than one limit');
    return limited(node, importer, x, isMaximum ? bound : NEGATIVE_INFINITY, isMaximum ? POSITIVE_INFINITY : bound);
  };

const normalization: Reader = (node, inputs, importer) => {
  if (node.int('training_mode', 0) !== 0) node.fail('is in training mode');
  const x = tracedAt(node, inputs, 0);
  const [scale, bias, mean, variance] = ['scale', 'bias', 'mean', 'variance'].map((what, i) => {
    const given = constantAt(node, inputs, i + 1, what);
    if (given.data.length !== x.shape[1])
      node.fail(`has ${given.data.length} numbers as ${what} for ${x.shape[1]} channels`);
    const shape = x.shape.map((extent, axis) => (axis === 1 ? extent : 1));
    return spreadOut(importer.operand(node, x, { ...given, shape }), x.shape[1]);
  });
  const length = Math.max(...[scale, bias, mean, variance].map((values) => values.length));
  const all = [scale, bias, mean, variance].map((values) => spreadOut(values, length));
  const epsilon = node.float('epsilon', 1e-5);
  if (Array.from(all[3]).some((value) => !(value + epsilon > 0))) node.fail('has a variance that is not positive');
  const step = batchNorm({ scale: all[0], bias: all[1], mean: all[2], variance: all[3], epsilon });
  return importer.follow(node, x, step, null);
};

const spreadOut = (values: ArrayLike<number>, length: number): ArrayLike<number> =>
  values.length === 1 ? new Float64Array(length).fill(values[0]) : values;

const leaky: Reader = (node, inputs, importer) =>
  importer.follow(node, tracedAt(node, inputs, 0), leak([node.float('alpha', 0.01)]), null);

const parametric: Reader = (node, inputs, importer) => {
  const x = tracedAt(node, inputs, 0);
  return importer.follow(node, x, leak(importer.operand(node, x, constantAt(node, inputs, 1, 'slope'))), null);
};

/** A function of one number that rises, after which nothing is on a grid. */
const rising =
  (at: (x: number, node: ImportNode) => number): Reader =>
  (node, inputs, importer) =>
    importer.follow(
      node,
      tracedAt(node, inputs, 0),
      unary(node.op, (x) => at(x, node), true),
      null,
    );

/** A rounding to whole numbers. */
const whole =
  (at: (x: number) => number): Reader =>
  (node, inputs, importer) =>
    rounded(node, importer, tracedAt(node, inputs, 0), at);

function rounded(node: ImportNode, importer: Importer, x: Traced, at: (x: number) => number): Traced {
  if (x.grid !== null && Number.isInteger(x.grid.step)) return x;
  return importer.follow(node, x, unary(node.op, at, true), wholeNumbers(node));
}

/** Whole numbers without an end: a Clip gives them one. */
function wholeNumbers({ name }: ImportNode): Grid {
  return { step: 1, low: NEGATIVE_INFINITY, high: POSITIVE_INFINITY, name };
}

const cast: Reader = (node, inputs, importer) => {
  if (inputs[0]?.kind === 'column') return inputs[0];
  const x = tracedAt(node, inputs, 0);
  const type = elementType(node.int('to'));
  if (type === null) return node.fail(`casts to the element type ${node.int('to')}, which is not read`);
  if (type === 'float32' || type === 'float64') return x.integer ? { ...x, integer: false } : x;
  const integers = { ...rounded(node, importer, x, Math.trunc), integer: true };
  if (type === 'int64') return integers;
  const [low, high] = rangeOfType(node, type);
  const { grid } = integers;
  if (grid && grid.low * grid.step >= low && grid.high * grid.step <= high) {
    // What narrows its type has made the integers; what widens it gets them ready for an operator.
    return type === 'int32' || type === 'uint32' ? integers : { ...integers, grid: { ...grid, name: node.name } };
  }
  // Whether integers beyond the type wrap is left to runtimes: what lies beyond is refused.
  return node.fail(`casts to ${type} what may lie beyond it: put a Clip before`);
};

const keep: Reader = (node, inputs) => tracedAt(node, inputs, 0, true);

export const ELEMENTWISE = {
  Relu: (node: ImportNode, inputs: Inputs, importer: Importer) =>
    limited(node, importer, tracedAt(node, inputs, 0), 0, POSITIVE_INFINITY),
  LeakyRelu: leaky,
  PRelu: parametric,
  Clip: clip,
  Max: extreme(true),
  Min: extreme(false),
  Add: sum(1),
  Sum: sum(1),
  Sub: sum(-1),
  Mul: product,
  Div: quotient,
  Neg: (node: ImportNode, inputs: Inputs, importer: Importer) => signed(node, importer, tracedAt(node, inputs, 0), -1),
  BatchNormalization: normalization,
  Sigmoid: rising((x) => 1 / (1 + Math.exp(-x))),
  Tanh: rising(Math.tanh),
  HardSigmoid: rising((x, node) => Math.min(1, Math.max(0, node.float('alpha', 0.2) * x + node.float('beta', 0.5)))),
  Softplus: rising((x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x)))),
  Softsign: rising((x) => x / (1 + Math.abs(x))),
  Elu: rising((x, node) => (x < 0 ? node.float('alpha', 1) * Math.expm1(x) : x)),
  Round: whole(roundHalfEven),
  Floor: whole(Math.floor),
  Ceil: whole(Math.ceil),
  Cast: cast,
  Identity: keep,
  Dropout: keep,
} as const satisfies Record<string, Reader>;
