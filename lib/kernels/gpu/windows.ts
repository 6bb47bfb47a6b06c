import { type Shape, sizeOf } from '../../tensor/shape.js';
import type { RequiredKernels } from '../backend.js';
import { type Window, windowExtents } from '../geometry.js';
import { operand } from './map.js';
import type { Runtime } from './runtime.js';
import { address, coordinates, divide, input, kernelSource, times } from './source.js';

/**
 * Where an image meets a window. `to` and `from` are names: an output position and a tap give an input position
 * (`inputPosition`), an input position and a tap give the output position, if there is one (`outputPosition`).
 */

/** Expression for the input position of `tap` in the window at output position `at`, along `axis` (0 or 1). */
export function inputPosition(window: Omit<Window, 'kernel'>, axis: 0 | 1, at: string, tap: string): string {
  const parts = [at, tap].map((name, n) => times(name, [window.stride, window.dilation][n][axis]));
  const terms = parts.filter((term) => !term.startsWith('0'));
  if (window.padding[axis] !== 0 || terms.length === 0) terms.push(`${-window.padding[axis]}`);
  return terms.join(' + ').replaceAll('+ -', '- ');
}

/** The condition that `position` lies in `0 … extent − 1`. */
export function within(position: string, extent: number): string {
  return `${position} >= 0 && ${position} < ${extent}`;
}

/** Statements that run `body` if input position `from` is at `tap` of a window along `axis`, the one of output `to`. */
export function outputPosition(
  window: Omit<Window, 'kernel'>,
  axis: 0 | 1,
  extent: number,
  from: string,
  tap: string,
  to: string,
  body: string,
): string {
  const { stride, padding, dilation } = window;
  const terms = [from, `${padding[axis]}`].filter((term) => term !== '0').join(' + ') || '0';
  const shifted = `${terms} - ${times(tap, dilation[axis])}`;
  if (stride[axis] === 1) return `const ${to} = ${shifted};\nif (${within(to, extent)}) {\n${body}\n}`;
  return `const ${to}Scaled = ${shifted};
if (${to}Scaled >= 0) {
${divide(`${to}Scaled`, stride[axis], to, `${to}Rest`)}if (${to}Rest == 0 && ${to} < ${extent}) {
${body}
}
}`;
}

/** Statements that split a channel into its group and its place there, and the names of both. */
export function groupOf(
  channel: string,
  perGroup: number,
  groups: number,
): { code: string; group: string; within: string } {
  if (groups === 1) return { code: '', group: '0', within: channel };
  if (perGroup === 1) return { code: '', group: channel, within: '0' };
  return { code: divide(channel, perGroup, 'group', 'inGroup'), group: 'group', within: 'inGroup' };
}

/** The channel `inGroup` of a group of `perGroup`, counted over all groups. */
export function channelIn(group: string, perGroup: number, inGroup: string): string {
  if (group === '0') return inGroup;
  const first = times(group, perGroup);
  return inGroup === '0' ? first : `(${inGroup} + ${first})`;
}

/** Windows of an image as columns, and columns added back into an image. */
export function windowKernels(runtime: Runtime) {
  return {
    im2col(x, window) {
      const [n, c, height, width] = x.shape;
      const [kh, kw] = window.kernel;
      const [oh, ow] = windowExtents(window, height, width);
      const shape = [n, c, kh * kw, oh * ow];
      const length = sizeOf(shape);
      runtime.checkLength(length);
      const from = operand(runtime, x);
      const { code, at } = coordinates('i', [n, c, kh, kw, oh, ow], 'c');
      const [image, channel, ky, kx, oy, ox] = at;
      const pixel = address(from, [image, channel, 'y', 'x']);
      const source = kernelSource(
        1,
        0,
        `${code}const y = ${inputPosition(window, 0, oy, ky)};
const x = ${inputPosition(window, 1, ox, kx)};
let v = 0;
if (${within('y', height)} && ${within('x', width)}) { v = ${input(0)}[${pixel}]; }
return v;`,
      );
      return runtime.result(runtime.run(source, length, [from.content]), shape);
    },

    col2im(columns, shape: Shape, window) {
      const [n, c, height, width] = shape;
      const [kh, kw] = window.kernel;
      const [oh, ow] = windowExtents(window, height, width);
      const length = sizeOf(shape);
      if (sizeOf(columns.shape) === 0) return runtime.result(runtime.filled(length, 0), shape);
      runtime.checkLength(length);
      const from = operand(runtime, columns);
      const { code, at } = coordinates('i', [n, c, height, width], 'c');
      const [image, channel, y, x] = at;
      const place = address(from, [
        image,
        channel,
        kw === 1 ? 'ky' : `(kx + ky * ${kw})`,
        ow === 1 ? 'oy' : `(ox + oy * ${ow})`,
      ]);
      const add = `s = s + ${input(0)}[${place}];`;
      const inRow = outputPosition(window, 1, ow, x, 'kx', 'ox', add);
      const inImage = outputPosition(window, 0, oh, y, 'ky', 'oy', `for (let kx = 0; kx < ${kw}; kx++) {\n${inRow}\n}`);
      const source = kernelSource(
        1,
        0,
        `${code}let s = 0;\nfor (let ky = 0; ky < ${kh}; ky++) {\n${inImage}\n}\nreturn s;`,
      );
      return runtime.result(runtime.run(source, length, [from.content]), shape);
    },
  } satisfies Partial<RequiredKernels>;
}
