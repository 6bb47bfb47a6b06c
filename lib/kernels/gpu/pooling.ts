import { sizeOf } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import { type Window, windowExtents } from '../geometry.js';
import { operand, whole } from './map.js';
import type { Runtime } from './runtime.js';
import { address, coordinates, input, kernelSource } from './source.js';
import { inputPosition, outputPosition, within } from './windows.js';

/** Maximum pooling. Its gradient first finds the winning tap of every window, then each pixel collects what it won. */
export function poolingKernels(runtime: Runtime) {
  return {
    maxPool2d(x: View, window: Window): View {
      const [images, channels, height, width] = x.shape;
      const [kh, kw] = window.kernel;
      const shape = [images, channels, ...windowExtents(window, height, width)];
      runtime.checkLength(sizeOf(shape));
      const from = operand(runtime, x);
      const { code, at } = coordinates('i', shape, 'c');
      const [image, channel, oy, ox] = at;
      // `found` tells the first pixel inside the image, which any number may be.
      const source = kernelSource(
        1,
        0,
        `${code}let m = 0;
let found = 0;
for (let ky = 0; ky < ${kh}; ky++) {
const y = ${inputPosition(window, 0, oy, 'ky')};
if (${within('y', height)}) {
for (let kx = 0; kx < ${kw}; kx++) {
const x = ${inputPosition(window, 1, ox, 'kx')};
if (${within('x', width)}) {
const v = ${input(0)}[${address(from, [image, channel, 'y', 'x'])}];
if (found == 0 || v > m || !(v == v)) { m = v; }
found = 1;
}
}
}
}
return m;`,
      );
      return runtime.result(runtime.run(source, sizeOf(shape), [from.content]), shape);
    },

    maxPool2dGrad(g: View, x: View, y: View, window: Window): View {
      const [images, channels, height, width] = x.shape;
      const [kh, kw] = window.kernel;
      const [, , oh, ow] = g.shape;
      if (sizeOf(g.shape) === 0) return runtime.result(runtime.filled(sizeOf(x.shape), 0), x.shape);
      const [gradient, from, maxima] = [g, x, y].map((view) => operand(runtime, view));
      const outside = coordinates('i', g.shape, 'c');
      const [image, channel, oy, ox] = outside.at;
      const winners = runtime.run(
        kernelSource(
          2,
          0,
          `${outside.code}const m = ${input(1)}[${address(maxima, outside.at)}];
let winner = -1;
for (let ky = 0; ky < ${kh}; ky++) {
const y = ${inputPosition(window, 0, oy, 'ky')};
if (${within('y', height)}) {
for (let kx = 0; kx < ${kw}; kx++) {
const x = ${inputPosition(window, 1, ox, 'kx')};
if (winner < 0 && ${within('x', width)}) {
const v = ${input(0)}[${address(from, [image, channel, 'y', 'x'])}];
if (v == m || (!(v == v) && !(m == m))) { winner = kx + ky * ${kw}; }
}
}
}
}
return winner;`,
        ),
        sizeOf(g.shape),
        [from.content, maxima.content],
      );
      const inside = coordinates('i', x.shape, 'c');
      const place = [inside.at[0], inside.at[1], 'oy', 'ox'];
      const won = `if (${input(1)}[${address(whole(winners, g.shape), place)}] == kx + ky * ${kw}) {
s = s + ${input(0)}[${address(gradient, place)}];
}`;
      const across = outputPosition(window, 1, ow, inside.at[3], 'kx', 'ox', won);
      const row = `for (let kx = 0; kx < ${kw}; kx++) {\n${across}\n}`;
      const down = outputPosition(window, 0, oh, inside.at[2], 'ky', 'oy', row);
      const rows = `for (let ky = 0; ky < ${kh}; ky++) {\n${down}\n}`;
      const source = kernelSource(2, 0, `${inside.code}let s = 0;\n${rows}\nreturn s;`);
      const result = runtime.run(source, sizeOf(x.shape), [gradient.content, winners]);
      winners.release();
      return runtime.result(result, [images, channels, height, width]);
    },
  };
}
