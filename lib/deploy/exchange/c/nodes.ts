import { sizeOf } from '../../../tensor/shape.js';
import type { GraphNode, MaxPoolNode, SumPoolNode } from '../../graph/graph.js';
import type { Plan } from './plan.js';
import { productBody } from './products.js';
import { requantizeBody } from './requantize.js';
import { cInteger, loops } from './text.js';

/** The statements of a node: they read `x` (and `x1`, `x2`, …) and write all of `y`. */
export function bodyOf(node: Exclude<GraphNode, { readonly op: 'reshape' }>, plan: Plan): string {
  const inputs = node.inputs.map((name) => plan.value(name));
  const [{ shape }] = inputs;
  const { type } = plan.value(node.name);
  switch (node.op) {
    case 'conv':
    case 'linear':
      return productBody(node, plan);
    case 'add': {
      const terms = inputs.map((_, n) => `${operand(n)}[i]`);
      const sum = `(${type})(${terms.join(' + ')})`;
      return loops([['i', sizeOf(shape)]], `y[i] = ${sum};\n`);
    }
    case 'maxPool':
    case 'sumPool':
      return poolBody(node, plan);
    case 'upsample': {
      const [c, h, w] = shape;
      const heads = [
        ['row', c * h * node.factor],
        ['column', w * node.factor],
      ] as const;
      return loops(heads, `*y++ = x[row / ${node.factor} * ${w} + column / ${node.factor}];\n`);
    }
    case 'pixelShuffle': {
      const [c, h, w] = shape;
      const r = node.factor;
      return permuteBody([c / r ** 2, r, r, h, w], [0, 3, 1, 4, 2]);
    }
    case 'concat':
      return inputs.map((input, n) => loops([['i', sizeOf(input.shape)]], `*y++ = ${operand(n)}[i];\n`)).join('');
    case 'permute':
      return permuteBody(
        shape,
        node.axes.slice(1).map((axis) => axis - 1),
      );
    case 'requantize':
      return requantizeBody(node, plan);
  }
}

/** The parameter of a node's input. */
export function operand(n: number): string {
  return n === 0 ? 'x' : `x${n}`;
}

function poolBody(node: MaxPoolNode | SumPoolNode, plan: Plan): string {
  const { shape, low } = plan.value(node.inputs[0]);
  const { shape: result, type } = plan.value(node.name);
  const [channels, height, width] = shape;
  const { stride, padding, dilation } = node;
  const kernel = node.kernel ?? [height, width];
  const position = (axis: 0 | 1, out: string, tap: string) =>
    `${out} * ${stride[axis]} + ${tap} * ${dilation[axis]} - ${padding[axis]}`;
  const pixel = `x[(c * ${height} + v) * ${width} + h]`;
  const join =
    node.op === 'sumPool' ? `pool = (${type})(pool + ${pixel});\n` : `if (${pixel} > pool) pool = ${pixel};\n`;
  const taps = [
    ['ky', kernel[0]],
    ['kx', kernel[1]],
  ] as const;
  const tap = `const int32_t v = ${position(0, 'row', 'ky')};
const int32_t h = ${position(1, 'column', 'kx')};
if (v < 0 || v >= ${height} || h < 0 || h >= ${width}) continue;
${join}`;
  const heads = [
    ['c', channels],
    ['row', result[1]],
    ['column', result[2]],
  ] as const;
  const start = node.op === 'sumPool' ? '0' : cInteger(low);
  return loops(heads, `${type} pool = ${start};\n${loops(taps, tap)}*y++ = pool;\n`);
}

/** All of `x`, read along its axes in another order. */
function permuteBody(shape: readonly number[], axes: readonly number[]): string {
  const heads = axes.map((axis, n) => [`i${n}`, shape[axis]] as const);
  const terms = axes.map((axis, n) => `i${n} * ${sizeOf(shape.slice(axis + 1))}`);
  return loops(heads, `*y++ = x[${terms.join(' + ')}];\n`);
}
