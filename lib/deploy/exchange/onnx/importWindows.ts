import { formatShape } from '../../../tensor/errors.js';
import type { ImportNode } from './importNode.js';
import type { Traced } from './importValues.js';

type Pair = readonly [number, number];

/** Windows as a node says, its padding as top, left, bottom, right. */
export interface ImportWindow {
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly dilation: Pair;
  readonly pads: readonly number[];
}

/**
 * The windows of a convolution or a pooling.
 * @param kernel of the weights; null: the node says
 * @throws DataError where ceil_mode would make another image
 */
export function windowOf(node: ImportNode, x: Traced, kernel: Pair | null): ImportWindow {
  const [, , height, width] = x.shape;
  const said = kernel ?? node.pair('kernel_shape', [0, 0], 1);
  if (kernel && node.has('kernel_shape') && formatShape(node.pair('kernel_shape', [0, 0], 1)) !== formatShape(kernel)) {
    node.fail(`has a kernel_shape that is not that of its weights, ${formatShape(kernel)}`);
  }
  const stride = node.pair('strides', [1, 1], 1);
  const dilation = node.pair('dilations', [1, 1], 1);
  const own = padsOf(node, [height, width], { kernel: said, stride, dilation });
  const pads = own.map((pad, i) => pad + (x.pads?.[i] ?? 0));
  if (node.int('ceil_mode', 0) !== 0) {
    for (const [i, extent] of [height, width].entries()) {
      const rest = extent + pads[i] + pads[i + 2] - dilation[i] * (said[i] - 1) - 1;
      if (rest % stride[i] !== 0) node.fail('has ceil_mode, and windows that reach beyond the image');
    }
  }
  return { kernel: said, stride, dilation, pads };
}

function padsOf(node: ImportNode, image: Pair, window: Omit<ImportWindow, 'pads'>): readonly number[] {
  const mode = node.string('auto_pad', 'NOTSET');
  if (mode === 'VALID') return [0, 0, 0, 0];
  if (mode === 'SAME_UPPER' || mode === 'SAME_LOWER') {
    const totals = image.map((extent, i) => {
      const { kernel, stride, dilation } = window;
      const reach = (Math.ceil(extent / stride[i]) - 1) * stride[i] + dilation[i] * (kernel[i] - 1) + 1;
      return Math.max(0, reach - extent);
    });
    const less = totals.map((total) => Math.floor(total / 2));
    const more = totals.map((total) => Math.ceil(total / 2));
    return mode === 'SAME_UPPER' ? [...less, ...more] : [...more, ...less];
  }
  if (mode !== 'NOTSET') node.fail(`has auto_pad ${mode}, which is not known`);
  const pads = node.ints('pads', [0, 0, 0, 0]);
  const good = pads.length === 4 && pads.every((pad) => Number.isInteger(pad) && pad >= 0 && pad <= 1024);
  return good ? pads : node.fail(`has pads ${formatShape(pads)}; four of 0 … 1024 are read`);
}

/**
 * Padding that is alike on both sides, and the rows and columns of zeros (top, left, bottom, right) by which a kernel
 * grows to that end: where more is wanted below than above, its rows begin above the image.
 */
export function paddingOf(
  node: ImportNode,
  [top, left, bottom, right]: readonly number[],
  dilation: Pair,
): { readonly padding: Pair; readonly extra: readonly number[] } {
  const differences = [bottom - top, right - left];
  const grown = differences.map((difference, i) => difference / dilation[i]);
  if (!grown.every(Number.isInteger))
    node.fail('has padding that is larger on one side than on the other, and dilation');
  const [down, across] = grown;
  const extra = [Math.max(0, down), Math.max(0, across), Math.max(0, -down), Math.max(0, -across)];
  return { padding: [Math.max(top, bottom), Math.max(left, right)], extra };
}
