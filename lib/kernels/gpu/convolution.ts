import { type Shape, sizeOf } from '../../tensor/shape.js';
import { type FusedKernels, windowExtents } from '../backend.js';
import type { Content } from './content.js';
import type { Machine } from './machine.js';
import { type Operand, operand, whole } from './map.js';
import { reduceTerms } from './reduction.js';
import { address, coordinates, divide, input, kernelSource, times } from './source.js';
import { inputPosition, outputPosition, within } from './windows.js';

/**
 * Direct convolution, one dot product per thread, for any stride, padding, dilation and number of groups (depthwise
 * included). Sums go channel by channel or row by row into a total, so that long ones do not drift.
 */

/** Aim for this many partial weight gradients: enough threads for small kernels, little memory for large ones. */
const PARTIALS = 2 ** 19;

/** A loop over `name` below `count`. */
function loop(name: string, count: number, body: string): string {
  return `for (let ${name} = 0; ${name} < ${count}; ${name}++) {\n${body}\n}`;
}

export function convolutionKernels(machine: Machine) {
  const zeros = (shape: Shape) => machine.result(machine.filled(sizeOf(shape), 0), shape);

  const run = (source: string, shape: Shape, inputs: readonly Operand[]): Content => {
    machine.checkLength(sizeOf(shape));
    return machine.run(
      source,
      sizeOf(shape),
      inputs.map(({ content }) => content),
    );
  };

  return {
    conv2d(x, w, geometry) {
      const [images, , height, width] = x.shape;
      const [outputs, perGroup, kh, kw] = w.shape;
      const shape = [images, outputs, ...windowExtents({ ...geometry, kernel: [kh, kw] }, height, width)];
      if (sizeOf(x.shape) === 0 || sizeOf(w.shape) === 0) return zeros(shape);
      const [from, weights] = [operand(machine, x), operand(machine, w)];
      const { code, at } = coordinates('i', shape, 'c');
      const [image, output, oy, ox] = at;
      const group = groupOf(output, outputs / geometry.groups, geometry.groups);
      const channel = channelIn(group.name, perGroup, 'k');
      const product = `part = part + ${input(0)}[${address(from, [image, channel, 'y', 'x'])}] * ${input(1)}[${address(weights, [output, 'k', 'ky', 'kx'])}];`;
      const row = loop(
        'kx',
        kw,
        `const x = ${inputPosition(geometry, 1, ox, 'kx')};\nif (${within('x', width)}) {\n${product}\n}`,
      );
      const taps = loop(
        'ky',
        kh,
        `const y = ${inputPosition(geometry, 0, oy, 'ky')};\nif (${within('y', height)}) {\n${row}\n}`,
      );
      const sum = loop('k', perGroup, `let part = 0;\n${taps}\ns = s + part;`);
      const source = kernelSource(2, 0, `${code}${group.code}let s = 0;\n${sum}\nreturn s;`);
      return machine.result(run(source, shape, [from, weights]), shape);
    },

    conv2dInputGrad(g, w, inputShape, geometry) {
      const [, channels, height, width] = inputShape;
      const [outputs, perGroup, kh, kw] = w.shape;
      const [, , oh, ow] = g.shape;
      if (sizeOf(g.shape) === 0 || sizeOf(w.shape) === 0 || height * width * channels === 0) return zeros(inputShape);
      const [from, weights] = [operand(machine, g), operand(machine, w)];
      const { code, at } = coordinates('i', inputShape, 'c');
      const [image, channel, y, x] = at;
      const { groups } = geometry;
      const split =
        groups === 1 || perGroup === 1
          ? { code: '', group: groups === 1 ? '0' : channel, within: groups === 1 ? channel : '0' }
          : { code: divide(channel, perGroup, 'group', 'inGroup'), group: 'group', within: 'inGroup' };
      const output = channelIn(split.group, outputs / groups, 'k');
      const product = `part = part + ${input(0)}[${address(from, [image, output, 'oy', 'ox'])}] * ${input(1)}[${address(weights, [output, split.within, 'ky', 'kx'])}];`;
      const row = loop('kx', kw, outputPosition(geometry, 1, ow, x, 'kx', 'ox', product));
      const taps = loop('ky', kh, outputPosition(geometry, 0, oh, y, 'ky', 'oy', row));
      const sum = loop('k', outputs / groups, `let part = 0;\n${taps}\ns = s + part;`);
      const source = kernelSource(2, 0, `${code}${split.code}let s = 0;\n${sum}\nreturn s;`);
      return machine.result(run(source, inputShape, [from, weights]), inputShape);
    },

    /** In two steps: partial sums over some images each, then over the parts. */
    conv2dWeightGrad(g, x, weightShape, geometry) {
      const [images, , height, width] = x.shape;
      const [outputs, perGroup, kh, kw] = weightShape;
      const [, , oh, ow] = g.shape;
      if (sizeOf(g.shape) === 0 || sizeOf(x.shape) === 0 || sizeOf(weightShape) === 0) return zeros(weightShape);
      const most = Math.min(images, Math.max(1, Math.floor(PARTIALS / sizeOf(weightShape))));
      const perPart = Math.ceil(images / most);
      const parts = Math.ceil(images / perPart);
      const [gradient, from] = [operand(machine, g), operand(machine, x)];
      const { code, at } = coordinates('i', [parts, outputs, perGroup, kh, kw], 'c');
      const [part, output, inGroup, ky, kx] = at;
      const group = groupOf(output, outputs / geometry.groups, geometry.groups);
      const channel = channelIn(group.name, perGroup, inGroup);
      const product = `line = line + ${input(0)}[${address(gradient, ['image', output, 'oy', 'ox'])}] * ${input(1)}[${address(from, ['image', channel, 'y', 'x'])}];`;
      const row = loop(
        'ox',
        ow,
        `const x = ${inputPosition(geometry, 1, 'ox', kx)};\nif (${within('x', width)}) {\n${product}\n}`,
      );
      const inside = `let line = 0;\n${row}\ntotal = total + line;`;
      const rows = loop(
        'oy',
        oh,
        `const y = ${inputPosition(geometry, 0, 'oy', ky)};\nif (${within('y', height)}) {\n${inside}\n}`,
      );
      const perImage = `let total = 0;\n${rows}\ns = s + total;`;
      const turn = parts * perPart === images ? perImage : `if (image < ${images}) {\n${perImage}\n}`;
      const sum = loop('turn', perPart, `const image = turn + ${times(part, perPart)};\n${turn}`);
      const source = kernelSource(2, 0, `${code}${group.code}let s = 0;\n${sum}\nreturn s;`);
      const shape = [parts, ...weightShape];
      const partial = run(source, shape, [gradient, from]);
      if (parts === 1) return machine.result(partial, weightShape);
      const summed = reduceTerms(machine, 'sum', shape, [whole(partial, shape)], [0]);
      partial.release();
      return machine.result(summed, weightShape);
    },
  } satisfies Partial<FusedKernels>;
}

/** Statements that find the group of an output channel, and the group's name. */
function groupOf(output: string, perGroup: number, groups: number): { code: string; name: string } {
  if (groups === 1) return { code: '', name: '0' };
  if (perGroup === 1) return { code: '', name: output };
  return { code: divide(output, perGroup, 'group', 'outputInGroup'), name: 'group' };
}

/** The channel `inGroup` of a group of `perGroup`, counted over all groups. */
function channelIn(group: string, perGroup: number, inGroup: string): string {
  if (group === '0') return inGroup;
  const first = times(group, perGroup);
  return inGroup === '0' ? first : `(${inGroup} + ${first})`;
}
