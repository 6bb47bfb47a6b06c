import type { Shape } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import type { Access } from './source.js';

/**
 * Views of one shape with axes of extent 1 dropped and neighbouring axes merged wherever every operand allows it, so
 * that fewer indices divide and fewer sources differ. `fixed` axes may only merge in runs of a kind (kept, reduced).
 */
export function mergeAxes(shape: Shape, views: readonly Access[], kind: (axis: number) => number = () => 0) {
  const extents: number[] = [];
  const kinds: number[] = [];
  const strides: number[][] = views.map(() => []);
  for (let axis = 0; axis < shape.length; axis++) {
    if (shape[axis] === 1) continue;
    const last = extents.length - 1;
    const merges =
      last >= 0 &&
      kinds[last] === kind(axis) &&
      views.every((view, n) => strides[n][last] === view.strides[axis] * shape[axis]);
    if (merges) {
      extents[last] *= shape[axis];
      for (const [n, view] of views.entries()) strides[n][last] = view.strides[axis];
    } else {
      extents.push(shape[axis]);
      kinds.push(kind(axis));
      for (const [n, view] of views.entries()) strides[n].push(view.strides[axis]);
    }
  }
  const accesses = views.map((view, n): Access => ({ strides: strides[n], offset: view.offset }));
  return { shape: extents, accesses, kinds };
}

/** A view whose strides are all positive: axes that run backwards are turned, in every one of `views` alike. */
export function turnForward(into: View, from: View): { into: Access & { shape: Shape }; from: Access } {
  const { shape } = into;
  const backwards = into.strides.map((stride, axis) => stride < 0 && shape[axis] > 0);
  const turn = ({ strides, offset }: Access): Access => ({
    strides: strides.map((stride, axis) => (backwards[axis] ? -stride : stride)),
    offset: strides.reduce((sum, stride, axis) => (backwards[axis] ? sum + stride * (shape[axis] - 1) : sum), offset),
  });
  return { into: { ...turn(into), shape }, from: turn(from) };
}
