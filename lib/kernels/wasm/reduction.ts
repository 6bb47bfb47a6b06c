import { reducedShape, sizeOf } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import type { ReduceOp } from '../backend.js';
import type { FastRows } from '../fast.js';
import { PART } from './assembly/blocking.js';
import type { Machine } from './machine.js';
import { type Axis, mergeAxes, operandWords } from './operand.js';

/** An order statistic is one unit of work. */
const ONE_SELECTION = { units: 1, cost: 0, scratch: () => 8192 };

/** Sums, maxima and order statistics. */
export function reductionKernels(machine: Machine) {
  return {
    reduce(op: ReduceOp, x: View, axes: readonly number[]): View {
      const out = machine.output(reducedShape(x.shape, axes));
      const to = machine.address(out);
      const count = sizeOf(out.shape);
      if (count > 0 && sizeOf(x.shape) === 0) {
        machine.run('reduceEmpty', { units: count, cost: 0.3 }, op === 'sum' ? 0 : 1, to);
        return out;
      }
      const all = x.shape.map((extent, axis) => ({ extent, stride: x.strides[axis] }));
      const kept = mergeAxes(all.filter((_, axis) => !axes.includes(axis)));
      // The order of summands is free: the closest in memory go innermost.
      const gone = mergeAxes(
        all.filter((_, axis) => axes.includes(axis)).sort((a, b) => Math.abs(b.stride) - Math.abs(a.stride)),
      );
      if (gone.length === 0) {
        machine.run('copy', { units: count, align: 16, cost: 0.5 }, machine.words(operandWords(machine, x)), to);
      } else {
        reduceAxes(machine, op, machine.address(x), kept, gone, to);
      }
      return out;
    },

    kthSmallest: {
      value([x], { k }) {
        const out = machine.output([]);
        machine.dense([x], (from) =>
          machine.run('kthSmallest', ONE_SELECTION, from, sizeOf(x.shape), k, machine.address(out)),
        );
        return out;
      },
      vjp: [
        (g, { input, shapes: [shape], attrs: { k } }) => {
          const out = machine.output(shape);
          const [slope, to] = [machine.address(g), machine.address(out)];
          machine.dense([input(0)], (from) =>
            machine.run('kthSmallestGradient', ONE_SELECTION, from, sizeOf(shape), k, slope, to),
          );
          return out;
        },
      ],
    } satisfies FastRows['kthSmallest'],
  };
}

/** Outputs numbered by `kept`, each the sum (maximum) over `gone`. */
function reduceAxes(
  machine: Machine,
  op: ReduceOp,
  from: number,
  kept: readonly Axis[],
  gone: readonly Axis[],
  to: number,
): void {
  const code = op === 'sum' ? 0 : 1;
  const outputs = kept.reduce((size, axis) => size * axis.extent, 1);
  const summands = gone.reduce((size, axis) => size * axis.extent, 1);
  const inner = gone[gone.length - 1];
  const isOneRun = outputs === 1 && gone.length === 1 && inner.stride === 1;
  if (isOneRun && op === 'sum' && summands >= 4 * PART) {
    sumInParts(machine, from, summands, to);
    return;
  }
  const rows = summands / inner.extent;
  const keptWords = machine.words(axisWords(kept));
  const goneWords = machine.words(axisWords(gone));
  const column = kept.at(-1);
  if (inner.stride !== 1 && column && column.stride === 1 && column.extent >= 4) {
    const units = (outputs / column.extent) * Math.ceil(column.extent / 8);
    machine.run(
      'reduceColumns',
      { units, cost: summands * 3, scratch: () => 64 },
      ...([code, from, keptWords, goneWords, rows, inner.extent, inner.stride * 4, column.extent, to] as const),
    );
    return;
  }
  machine.run(
    'reduceRows',
    { units: outputs, pieces: 2, cost: summands * (inner.stride === 1 ? 0.2 : 1) },
    ...([code, from, keptWords, goneWords, rows, inner.extent, inner.stride * 4, to] as const),
  );
}

/** One long sum, its parts shared by threads. */
function sumInParts(machine: Machine, from: number, count: number, to: number): void {
  const parts = Math.ceil(count / PART);
  machine.borrow(parts * 8, (sums) => {
    machine.run('partialSums', { units: parts, pieces: 2, cost: PART * 0.2 }, from, count, sums);
    machine.runOnce('sumParts', sums, parts, to);
  });
}

/** Rank, extents, byte strides. */
function axisWords(axes: readonly Axis[]): number[] {
  return [axes.length, ...axes.map(({ extent }) => extent), ...axes.map(({ stride }) => stride * 4)];
}
