import type { View } from '../../tensor/view.js';
import { ROWS } from './assembly/blocking.js';
import type { Grid } from './grids.js';
import type { Machine } from './machine.js';
import type { Operand } from './operand.js';

/**
 * Packs `x [N, C, H, W]` and `w [O, C, kh, kw]` for products of pairs and hands them to `work`, with the address of the
 * scale of each output channel over `divisor`. False, and nothing done, if a value is not on its grid after all.
 */
export function withPairs(
  machine: Machine,
  x: { readonly view: View; readonly grid: Grid },
  w: { readonly view: View; readonly grid: Grid },
  divisor: number,
  work: (x: Operand, w: Operand, scales: number) => void,
): boolean {
  const [outputs] = w.view.shape;
  const panelled = Math.ceil(outputs / ROWS) * ROWS;
  return machine.dense([x.view, w.view], (fromX, fromW) =>
    machine.borrow(pairBytes(x.view) + pairBytes(w.view) + panelled * 8 + 64, (buffer) => {
      const to = { x: buffer, w: buffer + pairBytes(x.view) };
      const scales = to.w + pairBytes(w.view);
      const own = scales + panelled * 4;
      const scaleOf = (row: number) => w.grid.scales[w.grid.scales.length === 1 ? 0 : row];
      for (let row = 0; row < outputs; row++) {
        machine.floats[own / 4 + row] = scaleOf(row);
        machine.floats[scales / 4 + row] = (x.grid.scales[0] * scaleOf(row)) / divisor;
      }
      machine.floats.fill(0, scales / 4 + outputs, scales / 4 + panelled);
      const flag = machine.words([0]);
      const packedW = pack(machine, w, fromW, own, 4, to.w, flag);
      if (machine.integers[flag / 4]) return false;
      machine.floats[own / 4] = x.grid.scales[0];
      const packedX = pack(machine, x, fromX, own, 0, to.x, flag);
      if (machine.integers[flag / 4]) return false;
      work(packedX, packedW, scales);
      return true;
    }),
  );
}

function pairBytes({ shape: [images, channels, height, width] }: View): number {
  return images * Math.ceil(channels / 2) * height * width * 4;
}

function pack(
  machine: Machine,
  { view, grid }: { readonly view: View; readonly grid: Grid },
  from: number,
  scales: number,
  scaleStep: number,
  to: number,
  flag: number,
): Operand {
  const [images, channels, height, width] = view.shape;
  const pairs = Math.ceil(channels / 2);
  const pixels = height * width;
  const job = { units: pixels === 1 ? images : images * pairs, pieces: 4, cost: pixels === 1 ? channels : pixels };
  machine.run('packPairs', job, from, scales, scaleStep, channels, pixels, grid.most, to, flag);
  return {
    address: to,
    shape: [images, pairs, height, width],
    strides: [pairs * pixels, pixels, width, 1],
  };
}
