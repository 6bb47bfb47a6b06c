import { type Json, Refused } from './checkpoint.js';
import { integerOf, integersOf, type NetworkFacts, textOf } from './network.js';

type Shape = readonly number[];

const MOST = 2 ** 31 - 1;
const OF_IMAGES = ['conv', 'maxPool', 'sumPool', 'upsample', 'pixelShuffle'];

export function sizeOf(shape: Shape): number {
  return shape.reduce((size, extent) => size * extent, 1);
}

/**
 * The shape of a node's value for one image, without the batch: what pools over whole planes sum depends on it.
 * @throws Refused unless its inputs fit
 */
export function networkShape(node: Json, inputs: readonly Shape[], { tensor }: NetworkFacts): Shape {
  const { op } = node;
  const axes = op === 'conv' ? 4 : 2;
  const weights = op === 'conv' || op === 'linear' ? tensor(textOf(node, 'weights'), axes).shape : [];
  const shape = fittingShape(node, inputs, weights);
  if (shape.length > 0 && shape.every((extent) => Number.isInteger(extent) && extent > 0)) return shape;
  throw new Refused(`${textOf(node, 'name')}: its inputs do not fit it`);
}

/** An empty shape where nothing fits. */
function fittingShape(node: Json, inputs: readonly Shape[], weights: Shape): Shape {
  const [x] = inputs;
  const [c, h, w] = x;
  const same = (a: Shape, b: Shape) => a.length === b.length && a.every((extent, axis) => extent === b[axis]);
  const sides = (times: number) => [h * times, w * times];
  if (OF_IMAGES.some((op) => op === node['op']) && x.length !== 3) return [];
  switch (node['op']) {
    case 'conv': {
      const groups = integerOf(node, 'groups', 1, MOST);
      const fits = c === weights[1] * groups && weights[0] % groups === 0;
      return fits ? [weights[0], ...windows(node, sides(integerOf(node, 'resize', 1, MOST)), weights.slice(2))] : [];
    }
    case 'linear':
      return same(x, weights.slice(1)) ? [weights[0]] : [];
    case 'add':
      return inputs.every((other) => same(other, x)) ? x : [];
    case 'maxPool':
    case 'sumPool':
      if (node['kernel'] === null) return [c, 1, 1];
      return [c, ...windows(node, [h, w], integersOf(node, 'kernel', 1, MOST))];
    case 'upsample':
      return [c, ...sides(integerOf(node, 'factor', 1, MOST))];
    case 'pixelShuffle': {
      const factor = integerOf(node, 'factor', 1, MOST);
      return [c / factor ** 2, ...sides(factor)];
    }
    case 'concat': {
      const fits = inputs.every((other) => same(other.slice(1), x.slice(1)));
      return fits ? [inputs.reduce((sum, [channels]) => sum + channels, 0), ...x.slice(1)] : [];
    }
    case 'reshape': {
      const wanted = integersOf(node, 'shape', -1, MOST);
      const known = sizeOf(wanted.filter((extent) => extent !== -1));
      const shape = wanted.map((extent) => (extent === -1 ? sizeOf(x) / known : extent));
      return sizeOf(shape) === sizeOf(x) ? shape : [];
    }
    case 'permute': {
      const axes = integersOf(node, 'axes', 0, x.length);
      const all = axes.length === x.length + 1 && new Set(axes).size === axes.length && axes[0] === 0;
      return all ? axes.slice(1).map((axis) => x[axis - 1]) : [];
    }
    case 'requantize':
      return x;
    default:
      throw new Refused(`${textOf(node, 'name')}: its operation is not known`);
  }
}

/** Where windows of a kernel fit into an image. */
function windows(node: Json, sides: Shape, kernel: Shape): Shape {
  const [stride, padding, dilation] = ['stride', 'padding', 'dilation'].map((member) => {
    return integersOf(node, member, member === 'padding' ? 0 : 1, MOST);
  });
  if (![stride, padding, dilation, kernel].every((pair) => pair.length === 2)) return [0];
  return sides.map((side, axis) => {
    const reach = dilation[axis] * (kernel[axis] - 1);
    // A maximum over padding alone would be no value of the image.
    const empty = padding[axis] > 0 && (padding[axis] > reach || dilation[axis] > side);
    if (node['op'] === 'maxPool' && empty) return 0;
    return Math.floor((side + 2 * padding[axis] - reach - 1) / stride[axis]) + 1;
  });
}
