import { type Shape, sizeOf } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import { type ConvGeometry, windowExtents } from '../geometry.js';
import type { Content } from './content.js';
import { type Correlation, correlate } from './correlation.js';
import { type Operand, operand, whole } from './map.js';
import { multiply } from './product.js';
import { reduceTerms } from './reduction.js';
import type { Runtime } from './runtime.js';
import { address, coordinates, input, kernelSource, loop } from './source.js';
import { available, type Tuner } from './tuner.js';
import { TILES } from './variants.js';
import { plainWeightGradient, tiledWeightGradient } from './weightGradient.js';
import { channelIn, groupOf, inputPosition, outputPosition, within } from './windows.js';

/**
 * Direct convolution, any stride, padding, dilation and number of groups (depthwise included), and its gradients. Sums
 * go channel by channel or row by row into a total, so that long ones do not drift. 1 × 1 ones are matrix products.
 */
export function convolutionKernels(runtime: Runtime, tuner: Tuner) {
  const zeros = (shape: Shape) => runtime.result(runtime.filled(sizeOf(shape), 0), shape);

  /** Runs one of the variants of a convolution or of its input gradient. */
  const walk = (op: string, correlation: Correlation, plain: () => Content, work: number): View => {
    runtime.checkLength(sizeOf(correlation.shape));
    const tiled = TILES.map((tile) => ({ variant: tile.variant, run: correlate(runtime, correlation, tile) }));
    const inputs = [correlation.source.content, correlation.weights.content];
    const content = tuner.run(op, work, inputs, available({ variant: 'plain', run: plain }, ...tiled));
    return runtime.result(content, correlation.shape);
  };

  return {
    conv2d(x: View, w: View, geometry: ConvGeometry): View {
      const [images, , height, width] = x.shape;
      const [outputs, perGroup, kh, kw] = w.shape;
      const shape = [images, outputs, ...windowExtents({ ...geometry, kernel: [kh, kw] }, height, width)];
      if (sizeOf(x.shape) === 0 || sizeOf(w.shape) === 0) return zeros(shape);
      const [source, weights] = [operand(runtime, x), operand(runtime, w)];
      const pixels = pointwise(geometry, w.shape) ? pixelsOf(source, x.shape) : null;
      if (pixels) {
        const matrix = { ...weights, strides: [0, weights.strides[0], weights.strides[1]] };
        return runtime.result(
          multiply(runtime, tuner, [images, outputs, perGroup, height * width], matrix, pixels),
          shape,
        );
      }
      const channels = [outputs / geometry.groups, perGroup] as const;
      const correlation: Correlation = {
        ...{ sourceShape: x.shape, source, shape, kernel: [kh, kw], geometry, channels, backward: false },
        weights: byGroup(weights, channels[0], [0, 1]),
      };
      const op = `conv2d ${described(x.shape, w.shape, geometry)}`;
      const work = sizeOf(shape) * perGroup * kh * kw;
      return walk(op, correlation, () => plainForward(runtime, correlation, weights), work);
    },

    conv2dInputGrad(g: View, w: View, inputShape: Shape, geometry: ConvGeometry): View {
      const [images, , height, width] = inputShape;
      const [outputs, perGroup, kh, kw] = w.shape;
      if (sizeOf(g.shape) === 0 || sizeOf(w.shape) === 0 || sizeOf(inputShape) === 0) return zeros(inputShape);
      const [source, weights] = [operand(runtime, g), operand(runtime, w)];
      const pixels = pointwise(geometry, w.shape) ? pixelsOf(source, g.shape) : null;
      if (pixels) {
        const matrix = { ...weights, strides: [0, weights.strides[1], weights.strides[0]] };
        const extents = [images, perGroup, outputs, height * width] as const;
        return runtime.result(multiply(runtime, tuner, extents, matrix, pixels), inputShape);
      }
      const channels = [perGroup, outputs / geometry.groups] as const;
      const correlation: Correlation = {
        ...{ sourceShape: g.shape, source, shape: inputShape, kernel: [kh, kw], geometry, channels, backward: true },
        weights: byGroup(weights, channels[1], [1, 0]),
      };
      const op = `conv2dInputGrad ${described(inputShape, w.shape, geometry)}`;
      const work = sizeOf(g.shape) * perGroup * kh * kw;
      return walk(op, correlation, () => plainBackward(runtime, correlation, weights), work);
    },

    conv2dWeightGrad(g: View, x: View, weightShape: Shape, geometry: ConvGeometry): View {
      if (sizeOf(g.shape) === 0 || sizeOf(x.shape) === 0 || sizeOf(weightShape) === 0) return zeros(weightShape);
      const [gradient, image] = [operand(runtime, g), operand(runtime, x)];
      const [outputs, perGroup, kh, kw] = weightShape;
      const pixels = pointwise(geometry, weightShape) ? pixelsOf(image, x.shape) : null;
      const slopes = pixels ? pixelsOf(gradient, g.shape) : null;
      if (pixels && slopes) {
        const [images, , height, width] = x.shape;
        const turned = { ...pixels, strides: [pixels.strides[0], pixels.strides[2], pixels.strides[1]] };
        const products = multiply(runtime, tuner, [images, outputs, height * width, perGroup], slopes, turned);
        return runtime.result(sumOfImages(runtime, products, [images, outputs, perGroup]), weightShape);
      }
      runtime.checkLength(sizeOf(weightShape));
      const problem = { shape: weightShape, gradientShape: g.shape, gradient, imageShape: x.shape, image, geometry };
      const variants = available(
        { variant: 'plain', run: () => plainWeightGradient(runtime, problem) },
        { variant: 'row', run: tiledWeightGradient(runtime, problem, false) },
        { variant: 'channels', run: tiledWeightGradient(runtime, problem, true) },
      );
      const op = `conv2dWeightGrad ${described(x.shape, weightShape, geometry)}`;
      const work = sizeOf(g.shape) * perGroup * kh * kw;
      return runtime.result(tuner.run(op, work, [gradient.content, image.content], variants), weightShape);
    },
  };
}

/** One dot product a thread. */
function plainForward(runtime: Runtime, correlation: Correlation, weights: Operand): Content {
  const { source, sourceShape, shape, kernel, geometry, channels } = correlation;
  const [, , height, width] = sourceShape;
  const { code, at } = coordinates('i', shape, 'c');
  const [image, output, oy, ox] = at;
  const { code: split, group } = groupOf(output, channels[0], geometry.groups);
  const channel = channelIn(group, channels[1], 'k');
  const pixel = `${input(0)}[${address(source, [image, channel, 'y', 'x'])}]`;
  const weight = `${input(1)}[${address(weights, [output, 'k', 'ky', 'kx'])}]`;
  const product = `part = part + ${pixel} * ${weight};`;
  const inRow = `const x = ${inputPosition(geometry, 1, ox, 'kx')};\nif (${within('x', width)}) {\n${product}\n}`;
  const row = loop('kx', kernel[1], inRow);
  const inImage = `const y = ${inputPosition(geometry, 0, oy, 'ky')};\nif (${within('y', height)}) {\n${row}\n}`;
  const sum = loop('k', channels[1], `let part = 0;\n${loop('ky', kernel[0], inImage)}\ns = s + part;`);
  const body = `${code}${split}let s = 0;\n${sum}\nreturn s;`;
  return runtime.run(kernelSource(2, 0, body), sizeOf(shape), [source.content, weights.content]);
}

/** One dot product a thread, of the outputs that a pixel takes part in. */
function plainBackward(runtime: Runtime, correlation: Correlation, weights: Operand): Content {
  const { source, sourceShape, shape, kernel, geometry, channels } = correlation;
  const [, , oh, ow] = sourceShape;
  const { code, at } = coordinates('i', shape, 'c');
  const [image, channel, y, x] = at;
  const { code: split, group, within: inGroup } = groupOf(channel, channels[0], geometry.groups);
  const output = channelIn(group, channels[1], 'k');
  const gradient = `${input(0)}[${address(source, [image, output, 'oy', 'ox'])}]`;
  const weight = `${input(1)}[${address(weights, [output, inGroup, 'ky', 'kx'])}]`;
  const product = `part = part + ${gradient} * ${weight};`;
  const row = loop('kx', kernel[1], outputPosition(geometry, 1, ow, x, 'kx', 'ox', product));
  const taps = loop('ky', kernel[0], outputPosition(geometry, 0, oh, y, 'ky', 'oy', row));
  const sum = loop('k', channels[1], `let part = 0;\n${taps}\ns = s + part;`);
  const body = `${code}${split}let s = 0;\n${sum}\nreturn s;`;
  return runtime.run(kernelSource(2, 0, body), sizeOf(shape), [source.content, weights.content]);
}

/** Weights `[O, C/groups, kh, kw]` read along `[group, result channel, source channel, ky, kx]`; `axes` names them. */
function byGroup(weights: Operand, outputsPerGroup: number, [result, source]: readonly [number, number]): Operand {
  const { strides } = weights;
  return {
    ...weights,
    strides: [outputsPerGroup * strides[0], strides[result], strides[source], strides[2], strides[3]],
  };
}

function pointwise({ stride, padding, groups }: ConvGeometry, [, , kh, kw]: Shape): boolean {
  return groups === 1 && kh === 1 && kw === 1 && stride.join() === '1,1' && padding.join() === '0,0';
}

/** Images read along `[N, C, H·W]`; null if their memory does not allow that. */
function pixelsOf(images: Operand, [, , height, width]: Shape): Operand | null {
  const [n, c, y, x] = images.strides;
  if (height > 1 && width > 1 && y !== width * x) return null;
  return { ...images, strides: [n, c, width > 1 ? x : y] };
}

/** The sum over the first axis. Takes the content over. */
function sumOfImages(runtime: Runtime, content: Content, shape: Shape): Content {
  if (shape[0] === 1) return content;
  const sum = reduceTerms(runtime, 'sum', shape, [whole(content, shape)], [0]);
  content.release();
  return sum;
}

/** What tells one convolution from another, for people too. */
function described(image: Shape, weights: Shape, { stride, padding, dilation, groups }: ConvGeometry): string {
  const parts = [`[${image.join(', ')}] * [${weights.join(', ')}]`, `padding ${padding}`];
  if (stride.join() !== '1,1') parts.push(`stride ${stride}`);
  if (dilation.join() !== '1,1') parts.push(`dilation ${dilation}`);
  if (groups !== 1) parts.push(`groups ${groups}`);
  return parts.join(', ');
}
