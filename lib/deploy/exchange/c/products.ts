import type { ConvNode, LinearNode } from '../../graph/graph.js';
import type { Plan } from './plan.js';
import { loops } from './text.js';

/** Sums are formed in runs of so many, which compilers turn into vectors without a remainder. */
const RUN = 16;

/** The statements of a layer with an accumulator. */
export function productBody(node: ConvNode | LinearNode, plan: Plan): string {
  return node.op === 'conv' ? convBody(node, plan) : linearBody(node, plan);
}

function linearBody(node: LinearNode, plan: Plan): string {
  const [outputs, length] = plan.tensor(node.weights).shape;
  const { type } = plan.value(node.name);
  const weights = plan.constant(node.weights);
  const sum = loops([['k', length]], `sum = (${type})(sum + x[k] * ${weights}[o * ${length} + k]);\n`);
  return loops([['o', outputs]], `${type} sum = 0;\n${sum}y[o] = sum;\n`);
}

/** How taps along one axis meet the framed image. */
interface Axis {
  readonly stride: number;
  readonly padding: number;
  readonly dilation: number;
  /** Every so many taps meet the same phase: pixels that lie a stride apart. */
  readonly period: number;
  readonly phases: number;
  /** Of a phase. */
  readonly extent: number;
}

function axisOf({ stride, padding, dilation }: ConvNode, axis: 0 | 1, kernel: number, results: number): Axis {
  const [s, d] = [stride[axis], dilation[axis]];
  const period = s / greatestCommonDivisor(s, d);
  const extent = results + Math.floor(((kernel - 1) * d) / s);
  return { stride: s, padding: padding[axis], dilation: d, period, phases: Math.min(kernel, period), extent };
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/**
 * The image, resized and framed with zeros, is first laid out in phases, so that a tap meets a whole plane of results
 * in one run without holes: `sums[i] += weight · frame[at + i]`. The columns between one row's results and the next
 * hold sums that nobody reads; they too are sums of the layer's weights and of numbers in its input range.
 */
function convBody(node: ConvNode, plan: Plan): string {
  const x = plan.value(node.inputs[0]);
  const { shape, type } = plan.value(node.name);
  const [channels, height, width] = x.shape;
  const [outputs, rows, columns] = shape;
  const [, perGroup, kh, kw] = plan.tensor(node.weights).shape;
  const [down, across] = [axisOf(node, 0, kh, rows), axisOf(node, 1, kw, columns)];
  const plane = down.extent * across.extent;
  const run = Math.ceil((rows * across.extent) / RUN) * RUN;
  const reach = (down.extent - rows) * across.extent + across.extent - columns;
  const filled = channels * down.phases * across.phases * plane;
  const length = Math.max(filled, filled - plane + reach + run);
  const frame = plan.scratch('frame', x.type, length);
  const sums = plan.scratch('sums', type, run);
  const weights = plan.constant(node.weights);
  const weightType = plan.typeOf(node.weights);

  const source = (axis: Axis, at: string, phase: string) =>
    `${at} * ${axis.stride} + ${phase} * ${axis.dilation} % ${axis.stride} - ${axis.padding}`;
  const inside = `v >= 0 && v < ${height * node.resize} && h >= 0 && h < ${width * node.resize}`;
  const pixel = `x[(c * ${height} + v / ${node.resize}) * ${width} + h / ${node.resize}]`;
  const fill = loops(
    [
      ['c', channels],
      ['py', down.phases],
      ['px', across.phases],
      ['row', down.extent],
      ['column', across.extent],
    ],
    `const int32_t v = ${source(down, 'row', 'py')};
const int32_t h = ${source(across, 'column', 'px')};
*to++ = ${inside} ? ${pixel} : 0;
`,
  );
  const met = `(((first + c) * ${down.phases} + ky % ${down.period}) * ${across.phases} + kx % ${across.period})`;
  const offset = (axis: Axis, tap: string) => `${tap} * ${axis.dilation} / ${axis.stride}`;
  const address = `${met} * ${plane} + ${offset(down, 'ky')} * ${across.extent} + ${offset(across, 'kx')}`;
  const tap = `const ${weightType} weight = *weights++;
const ${x.type} *from = ${frame} + ${address};
if (weight != 0) {
${`  ${loops([['i', run]], `${sums}[i] = (${type})(${sums}[i] + weight * from[i]);\n`).replace(/\n(?=.)/g, '\n  ')}`}}
`;
  const taps = loops(
    [
      ['c', perGroup],
      ['ky', kh],
      ['kx', kw],
    ],
    tap,
  );
  const store = loops(
    [
      ['row', rows],
      ['column', columns],
    ],
    `*y++ = ${sums}[row * ${across.extent} + column];\n`,
  );
  const output = `const int32_t first = o / ${outputs / node.groups} * ${perGroup};
${loops([['i', run]], `${sums}[i] = 0;\n`)}${taps}${store}`;
  const tail = length > filled ? loops([['i', length - filled]], '*to++ = 0;\n') : '';
  return `const ${weightType} *weights = ${weights};
${x.type} *to = ${frame};
${fill}${tail}${loops([['o', outputs]], output)}`;
}
