import { sizeOf } from '../../../tensor/shape.js';
import type { FixedPointNode, RequantizeNode, ThresholdNode } from '../../graph/graph.js';
import type { Plan } from './plan.js';
import { cInteger, loops } from './text.js';

/** The statements of a requantization. */
export function requantizeBody(node: RequantizeNode, plan: Plan): string {
  const { shape } = plan.value(node.inputs[0]);
  const rows = plan.tensor(node.mode === 'thresholds' ? node.base : node.offset).data.length;
  const [channels, ...rest] = shape;
  const { setup, result } = node.mode === 'thresholds' ? thresholds(node, plan) : fixedPoint(node, plan);
  const { type } = plan.value(node.name);
  const each = loops([['i', (sizeOf(rest) * channels) / rows]], `*y++ = (${type})(${result('*x++')});\n`);
  return loops([['c', rows]], `${setup}${each}`);
}

/** What is made ready for a row, and the result for an accumulator. */
interface Row {
  readonly setup: string;
  readonly result: (a: string) => string;
}

function thresholds(node: ThresholdNode, plan: Plan): Row {
  const [, count] = plan.tensor(node.thresholds).shape;
  const [base, sign] = [plan.constant(node.base), plan.constant(node.sign)];
  // A row without thresholds has but one result.
  if (count === 0) return { setup: '', result: (a) => `${base}[c] + 0 * ${a}` };
  const type = plan.typeOf(node.thresholds);
  const reached = plan.helper(`reached_${type}`, (name) => reachedCode(name, type));
  const steps = `${plan.constant(node.thresholds)} + c * ${count}`;
  const top = 2 ** Math.floor(Math.log2(count));
  return { setup: '', result: (a) => `${base}[c] + ${sign}[c] * ${reached}(${steps}, ${count}, ${top}, ${a})` };
}

/** Binary lifting: no branch depends on the data. */
function reachedCode(name: string, type: string): string {
  return `/* How many of the ascending steps a is at or above; top is the largest power of two up to count. */
static int32_t ${name}(const ${type} *steps, int32_t count, int32_t top, int32_t a) {
  int32_t reached = 0;
  for (int32_t half = top; half > 0; half /= 2) {
    if (reached + half <= count && a >= steps[reached + half - 1]) reached += half;
  }
  return reached;
}
`;
}

function fixedPoint(node: FixedPointNode, plan: Plan): Row {
  const [multiplier, offset, shift] = [node.multiplier, node.offset, node.shift].map((name) => plan.constant(name));
  const scaled = plan.helper('scaled', scaledCode);
  const unit = `INT64_C(${2 ** node.lift})`;
  const setup = `const int64_t start = ${offset}[c] * ${unit} + (${shift}[c] > 0 ? INT64_C(1) << (${shift}[c] - 1) : 0);
`;
  const result = (a: string) =>
    `${scaled}(start + (int64_t)${multiplier}[c] * ${a}, ${shift}[c], ${cInteger(node.low)}, ${cInteger(node.high)})`;
  return { setup, result };
}

/** Shifts right, rounding down: of a negative number C leaves that to the compiler. */
function scaledCode(name: string): string {
  return `static int32_t ${name}(int64_t sum, int32_t shift, int32_t low, int32_t high) {
  const int64_t scaled = sum >= 0 ? sum >> shift : -1 - ((-1 - sum) >> shift);
  return scaled < low ? low : scaled > high ? high : (int32_t)scaled;
}
`;
}
