import { formatShape } from '../../../tensor/errors.js';
import { sameShape, sizeOf } from '../../../tensor/shape.js';
import { axesOf, axisOf, constantAt, type Inputs, type Reader, tracedAt } from './importArguments.js';
import type { Importer } from './importer.js';
import type { ImportNode } from './importNode.js';
import { multiply } from './importProgram.js';
import type { Constant, Traced, Value } from './importValues.js';

/** A value that the file knows, or one that depends on the input: both can be laid out anew. */
function eitherAt(node: ImportNode, inputs: Inputs, i: number): Constant | Traced {
  const x = inputs[i] ?? node.fail('has no input');
  return x.kind === 'constant' ? x : tracedAt(node, inputs, i);
}

/** The same numbers under another shape, row-major. */
function reshaped(node: ImportNode, importer: Importer, x: Constant | Traced, shape: readonly number[]): Value {
  if (sizeOf(shape) !== sizeOf(x.shape) || !shape.every((extent) => Number.isInteger(extent) && extent >= 0)) {
    node.fail(`makes ${formatShape(shape)} of ${formatShape(x.shape)}`);
  }
  if (x.kind === 'constant') return { ...x, shape };
  if (sameShape(shape, x.shape)) return x;
  if (shape[0] !== x.shape[0] || shape.length < 2) {
    node.fail(`makes ${formatShape(shape)} of ${formatShape(x.shape)}: the batch stays the first axis`);
  }
  return importer.move(node, x, { op: 'reshape', inputs: [], shape: shape.length === 2 ? [-1] : shape.slice(1) });
}

const reshape: Reader = (node, inputs, importer) => {
  const x = eitherAt(node, inputs, 0);
  const wanted = Array.from(constantAt(node, inputs, 1, 'shape').data);
  if (wanted.length > 8 || wanted.filter((extent) => extent === -1).length > 1) {
    node.fail(`has the shape ${formatShape(wanted.slice(0, 9))}`);
  }
  const copies = node.int('allowzero', 0) === 0;
  const shape = wanted.map((extent, axis) => (extent === 0 && copies ? (x.shape[axis] ?? -1) : extent));
  const known = shape.filter((extent) => extent !== -1).reduce((product, extent) => product * extent, 1);
  return reshaped(
    node,
    importer,
    x,
    shape.map((extent) => (extent === -1 ? sizeOf(x.shape) / known : extent)),
  );
};

const flatten: Reader = (node, inputs, importer) => {
  const x = eitherAt(node, inputs, 0);
  const axis = node.int('axis', 1);
  const at = axis < 0 ? axis + x.shape.length : axis;
  return reshaped(node, importer, x, [sizeOf(x.shape.slice(0, at)), sizeOf(x.shape.slice(at))]);
};

const squeeze: Reader = (node, inputs, importer) => {
  const x = eitherAt(node, inputs, 0);
  const axes = axesOf(node, inputs, x.shape.length) ?? x.shape.flatMap((extent, axis) => (extent === 1 ? [axis] : []));
  return reshaped(
    node,
    importer,
    x,
    x.shape.filter((_, axis) => !axes.includes(axis)),
  );
};

const unsqueeze: Reader = (node, inputs, importer) => {
  const x = eitherAt(node, inputs, 0);
  const given = (inputs[1] && Array.from(constantAt(node, inputs, 1, 'list of axes').data)) ?? node.ints('axes');
  const rank = x.shape.length + given.length;
  if (rank > 8) node.fail(`makes ${rank} axes`);
  const axes = given.map((axis) => axisOf(node, axis, rank));
  const rest = x.shape.slice();
  const shape = Array.from({ length: rank }, (_, axis) => (axes.includes(axis) ? 1 : (rest.shift() ?? 1)));
  if (x.kind === 'traced' && axes.join() === '2') return { kind: 'column', of: x, shape, rows: null };
  return reshaped(node, importer, x, shape);
};

const transpose: Reader = (node, inputs, importer) => {
  const x = eitherAt(node, inputs, 0);
  const axes = node.ints('perm', x.shape.map((_, axis) => axis).reverse());
  const sorted = axes.slice().sort((a, b) => a - b);
  if (axes.length !== x.shape.length || sorted.some((axis, i) => axis !== i)) {
    node.fail(`has the order ${formatShape(axes)} for ${formatShape(x.shape)}`);
  }
  if (x.kind === 'traced') {
    if (axes[0] !== 0) node.fail('moves the batch axis');
    if (axes.every((axis, i) => axis === i)) return x;
    return importer.move(node, x, { op: 'permute', inputs: [], axes });
  }
  const shape = axes.map((axis) => x.shape[axis]);
  const strides = axes.map((axis) => sizeOf(x.shape.slice(axis + 1)));
  const from = Int32Array.from({ length: sizeOf(shape) }, (_, i) => {
    let rest = i;
    let at = 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += (rest % shape[axis]) * strides[axis];
      rest = Math.floor(rest / shape[axis]);
    }
    return at;
  });
  const turn = (values: ArrayLike<number>) => Float64Array.from(from, (at) => values[at]);
  return { ...x, shape, data: turn(x.data), steps: x.steps && turn(x.steps) };
};

const concat: Reader = (node, inputs, importer) => {
  const values = inputs.map((_, i) => eitherAt(node, inputs, i));
  const axis = axisOf(node, node.int('axis'), values[0]?.shape.length ?? 0);
  const known = values.filter((value): value is Constant => value.kind === 'constant');
  if (known.length === values.length) return joined(node, known, axis);
  if (known.length > 0) node.fail('joins constants and values that depend on the input');
  if (axis !== 1) node.fail(`joins along axis ${axis}; channels are axis 1`);
  const settled = values.map((_, i) => importer.settle(node, tracedAt(node, inputs, i)));
  const sources = settled.map(({ source }) => source);
  const [{ grid }] = settled;
  const made = importer.made(
    node,
    node.name,
    { op: 'concat', inputs: sources },
    { step: grid.step, integer: settled[0].integer },
  );
  if (settled.every((value) => value.grid.step === grid.step)) return made;
  const steps = settled.flatMap(({ shape, grid: { step } }) => new Array<number>(shape[1]).fill(step));
  return importer.follow(node, importer.plain(made.source, { step: 1 }), multiply(steps), null);
};

/** Constants one after the other along an axis. */
function joined(node: ImportNode, parts: readonly Constant[], axis: number): Constant {
  const [first] = parts;
  const rest = ({ shape }: Constant) => formatShape(shape.filter((_, i) => i !== axis));
  if (parts.some((part) => rest(part) !== rest(first))) node.fail('joins shapes that differ');
  const shape = first.shape.map((extent, i) =>
    i === axis ? parts.reduce((sum, part) => sum + part.shape[i], 0) : extent,
  );
  const data = new Float64Array(sizeOf(shape));
  const inner = sizeOf(shape.slice(axis + 1));
  const width = shape[axis] * inner;
  let at = 0;
  for (const part of parts) {
    const length = part.shape[axis] * inner;
    for (let i = 0; i < part.data.length; i++) data[Math.floor(i / length) * width + at + (i % length)] = part.data[i];
    at += length;
  }
  return { ...first, shape, data, steps: null, bits: null };
}

export const LAYOUT = {
  Reshape: reshape,
  Flatten: flatten,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Transpose: transpose,
  Concat: concat,
} as const satisfies Record<string, Reader>;
