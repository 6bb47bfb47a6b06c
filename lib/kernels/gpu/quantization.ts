import { sizeOf } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import type { QuantGrid } from '../fast.js';
import { roundHalfEven } from './elementwise.js';
import { constant, map, operand } from './map.js';
import { reduceTerms } from './reduction.js';
import type { Runtime } from './runtime.js';
import { literal } from './source.js';

/** Statements that declare `onGrid` = x/s in float32 in every mode (after a ReLU if the grid has one) and `rounded`. */
function ontoGrid(x: string, scale: string, { relu }: QuantGrid): string {
  const rectified = relu ? `let from = ${x};\nif (from < 0) { from = 0; }\n` : `const from = ${x};\n`;
  return `${rectified}const onGrid = Math.fround(from / ${scale});\n${roundHalfEven('onGrid', 'rounded')}`;
}

/** Statements that declare `clipped`, the end of the grid where `rounded` is beyond it. */
function clip({ low, high }: QuantGrid): string {
  return `let clipped = rounded;
if (clipped < ${literal(low)}) { clipped = ${literal(low)}; }
if (clipped > ${literal(high)}) { clipped = ${literal(high)}; }
`;
}

/** Fake quantization of activations and its straight-through gradients. */
export function quantizationKernels(runtime: Runtime) {
  return {
    fakeQuantize(x: View, scale: View, grid: QuantGrid): View {
      const operands = [operand(runtime, x), constant(runtime, scale, x.shape)];
      const body = ([v, s]: readonly string[]) => `${ontoGrid(v, s, grid)}${clip(grid)}return clipped * ${s};`;
      return runtime.result(map(runtime, x.shape, operands, body), x.shape);
    },

    fakeQuantizeGrad(g: View, x: View, scale: View, grid: QuantGrid): [View, View] {
      const operands = [operand(runtime, g), operand(runtime, x), constant(runtime, scale, x.shape)];
      const inside = `rounded >= ${literal(grid.low)} && rounded <= ${literal(grid.high)}`;
      const passes = grid.relu ? (v: string) => `${inside} && ${v} > 0` : () => inside;
      const toInput = ([d, v, s]: readonly string[]) =>
        `${ontoGrid(v, s, grid)}let y = 0;\nif (${passes(v)}) { y = ${d}; }\nreturn y;`;
      const toScale = ([
        d,
        value,
        s,
      ]: readonly string[]) => `${ontoGrid(value, s, grid)}${clip(grid)}let slope = clipped;
if (${inside}) { slope = rounded - onGrid; }
const v = ${d} * slope;`;
      const axes = x.shape.map((_, axis) => axis);
      const sum =
        sizeOf(x.shape) === 0
          ? runtime.filled(1, 0)
          : reduceTerms(runtime, 'sum', x.shape, operands, axes, { term: toScale });
      return [runtime.result(map(runtime, x.shape, operands, toInput), x.shape), runtime.result(sum, scale.shape)];
    },
  };
}
