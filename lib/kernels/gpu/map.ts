import type { Shape } from '../../tensor/shape.js';
import { sizeOf } from '../../tensor/shape.js';
import type { View } from '../../tensor/view.js';
import type { Content } from './content.js';
import { mergeAxes } from './layout.js';
import type { Runtime } from './runtime.js';
import { type Access, address, coordinates, input, kernelSource, scalar } from './source.js';

/** Numbers on the device and how they are read along some shape. */
export interface Operand extends Access {
  readonly content: Content;
}

/** A view as an operand. */
export function operand(runtime: Runtime, view: View): Operand {
  return { content: runtime.contentOf(view), strides: view.strides, offset: view.offset };
}

/** A 1-element view, read the same everywhere. */
export function constant(runtime: Runtime, view: View, shape: Shape): Operand {
  return { ...operand(runtime, view), strides: shape.map(() => 0) };
}

/** A vector `[C]` read along axis 1 of `shape`. */
export function alongChannels(runtime: Runtime, view: View, shape: Shape): Operand {
  const { content, strides, offset } = operand(runtime, view);
  return { content, strides: shape.map((_, axis) => (axis === 1 ? strides[0] : 0)), offset };
}

/** The whole of a content, row-major. */
export function whole(content: Content, shape: Shape): Operand {
  const strides = shape.map((_, axis) => sizeOf(shape.slice(axis + 1)));
  return { content, strides, offset: 0 };
}

/** One result per element of `shape`. `body`: from names of elements and scalars to statements that end in a return. */
export function map(
  runtime: Runtime,
  shape: Shape,
  operands: readonly Operand[],
  body: (values: readonly string[], scalars: readonly string[]) => string,
  scalars: readonly number[] = [],
): Content {
  const length = sizeOf(shape);
  runtime.checkLength(length);
  const { shape: extents, accesses } = mergeAxes(shape, operands);
  const { code, at } = coordinates('i', extents, 'c');
  // The thread's own index is an integer; `i` is the same as a float.
  const places = at.map((coordinate) => (coordinate === 'i' ? 'this.thread.x' : coordinate));
  const values = operands.map((_, n) => `x${n}`);
  const loads = accesses.map((access, n) => `const ${values[n]} = ${input(n)}[${address(access, places)}];`);
  const names = scalars.map((_, n) => scalar(n));
  const source = kernelSource(operands.length, scalars.length, `${code}${loads.join('\n')}\n${body(values, names)}`);
  return runtime.run(
    source,
    length,
    operands.map(({ content }) => content),
    scalars,
  );
}
