import { add, backendOf, sumTo } from '../kernels/value.js';
import { BackendError, DTypeError, ShapeError, TapeError } from '../tensor/errors.js';
import { broadcastShapes, type Shape, sameShape } from '../tensor/shape.js';
import { keep, Storage, scope } from '../tensor/storage.js';
import { Tensor } from '../tensor/tensor.js';
import { isContiguousView, type View, viewExpand } from '../tensor/view.js';
import type { Row, Saved } from './row.js';
import { type AttrsOf, type OpName, table } from './table.js';

/** How a tensor was made: one entry of the tape. */
interface Node {
  /** Creation order; backward walks it downwards, which is a topological order. */
  readonly id: number;
  readonly name: string;
  readonly row: Row<unknown>;
  readonly attrs: unknown;
  /** Where gradients flow on: a computed tensor's node, a leaf that collects, or nowhere. */
  readonly parents: readonly (Node | Tensor | null)[];
  /** Shapes of the inputs as given, and as the row saw them. */
  readonly inputShapes: readonly Shape[];
  readonly shapes: readonly Shape[];
  readonly outputShape: Shape;
  /** Declared by the row; null once backward has consumed them. */
  saved: Map<number | 'output', View> | null;
}

let recording = true;
let nextId = 0;

/** Runs `work` without recording: what it computes has no history. @throws TapeError if `work` is asynchronous */
export function noGrad<T>(work: () => T): T {
  const before = recording;
  recording = false;
  try {
    const result = work();
    if (result instanceof Promise) throw new TapeError('noGrad', 'the callback must not be async');
    return result;
  } finally {
    recording = before;
  }
}

/** Runs `work` with recording on, also inside `noGrad`: a gradient rule that itself differentiates. */
export function withGrad<T>(work: () => T): T {
  const before = recording;
  recording = true;
  try {
    return work();
  } finally {
    recording = before;
  }
}

/** Whether operations are being recorded right now. */
export function isRecording(): boolean {
  return recording;
}

/** Applies a primitive of the table: checks, runs the kernel, records. */
export function apply<Name extends OpName>(name: Name, inputs: readonly Tensor[], attrs: AttrsOf<Name>): Tensor {
  return applyRow(name, table[name] as unknown as Row<unknown>, inputs, attrs);
}

/** Applies any row; `apply` is this for rows of the table, `defineFunction` for a user's. */
export function applyRow(name: string, row: Row<unknown>, inputs: readonly Tensor[], attrs: unknown): Tensor {
  const [first] = inputs;
  for (const x of inputs) {
    if (x.device !== first.device) {
      throw new BackendError(name, `operands live on different backends (${first.device.name} and ${x.device.name})`);
    }
    if (x.dtype !== first.dtype) throw new DTypeError(name, `operands differ in dtype (${first.dtype} and ${x.dtype})`);
  }
  const inputShapes = inputs.map((x) => x.shape);
  let views: readonly View[] = inputs;
  let expected: Shape | undefined;
  if (row.shape === 'broadcast') {
    const shape = inputShapes.reduce((a, b) => broadcastShapes(name, a, b));
    views = inputs.map((x) => viewExpand(x, shape));
    expected = shape;
  } else if (row.shape !== 'own') {
    expected = row.shape(inputShapes, attrs);
  }
  const result = row.forward(backendOf(first), views, attrs);
  if (expected && !sameShape(result.shape, expected)) {
    throw new ShapeError(name, 'the kernel returned another shape than the row promises', [result.shape, expected]);
  }
  const output = new Tensor(result);
  if (recording && row.vjp && inputs.some((x) => x.requiresGrad)) {
    const saved = new Map<number | 'output', View>();
    for (const key of row.saves ?? []) saved.set(key, key === 'output' ? result : views[key]);
    const node: Node = {
      id: nextId++,
      name,
      row,
      attrs,
      parents: inputs.map((x) => (x.requiresGrad ? ((x.node as Node | null) ?? x) : null)),
      inputShapes,
      shapes: views.map((view) => view.shape),
      outputShape: result.shape,
      saved,
    };
    output.requiresGrad = true;
    output.node = node;
  }
  return output;
}

/**
 * Adds to `.grad` of every leaf the derivative of `loss` with respect to it (reverse mode).
 *
 * @param gradient the gradient to `loss` itself, of its shape; needed unless `loss` has one element
 * @param options.retain keeps what the tape saved, so that backward can run again
 * @throws TapeError if `loss` has no history, or it was consumed by an earlier backward
 */
export function backward(loss: Tensor, gradient?: Tensor, options: { readonly retain?: boolean } = {}): void {
  if (!loss.requiresGrad) {
    throw new TapeError('backward', 'this tensor does not depend on anything that requires a gradient');
  }
  if (gradient === undefined && loss.size !== 1) {
    throw new ShapeError('backward', 'a loss of more than one element needs a gradient of its shape', [loss.shape]);
  }
  if (gradient && !sameShape(gradient.shape, loss.shape)) {
    throw new ShapeError('backward', 'the gradient must have the shape of the loss', [gradient.shape, loss.shape]);
  }
  const seed = gradient ?? backendOf(loss).fill(loss.shape, 1, loss.dtype);
  new BackwardPass(options.retain ?? false).run(loss, seed);
}

/** One walk down the tape. Gradients that nothing still needs are freed on the way. */
class BackwardPass {
  readonly #retain: boolean;
  readonly #pending = new Map<Node, View>();
  /** How many pending gradients share a storage, for storages made by this pass. */
  readonly #owned = new Map<Storage, number>();
  readonly #queue: Node[] = [];

  constructor(retain: boolean) {
    this.#retain = retain;
  }

  run(loss: Tensor, seed: View): void {
    this.#send((loss.node as Node | null) ?? loss, seed);
    for (let node = this.#next(); node; node = this.#next()) {
      const g = this.#pending.get(node) as View;
      this.#pending.delete(node);
      const active = node;
      const firstOwn = Storage.nextSerial;
      const grads = scope(() => noGrad(() => this.#gradients(active, g)));
      const made = grads.filter((grad) => grad !== null);
      for (const { storage } of made) {
        if (storage.serial >= firstOwn) this.#owned.set(storage, 0);
      }
      for (const { storage } of made) this.#hold(storage);
      grads.forEach((grad, i) => {
        if (grad) this.#send(node.parents[i] as Node | Tensor, grad);
      });
      for (const { storage } of made) this.#release(storage);
      this.#release(g.storage);
      if (!this.#retain) node.saved = null;
    }
  }

  /** The gradient to each input of a node, in the input's own shape; null where none is wanted. */
  #gradients(node: Node, g: View): (View | null)[] {
    const { saved, row, name } = node;
    if (saved === null) {
      throw new TapeError(
        'backward',
        `the tape of ${name} was consumed by an earlier backward; pass { retain: true } there`,
      );
    }
    const read = (key: number | 'output') => {
      const view = saved.get(key);
      if (!view) throw new TapeError(name, `the gradient rule reads ${key} without declaring it in saves`);
      return view;
    };
    const context: Saved<unknown> = {
      attrs: node.attrs,
      shapes: node.shapes,
      input: read,
      output: () => read('output'),
    };
    const { vjp } = row;
    const joint = typeof vjp === 'function' ? vjp(g, context) : null;
    return node.parents.map((parent, i) => {
      if (parent === null) return null;
      const rule = joint === null ? (vjp as readonly unknown[])[i] : null;
      const grad = joint ? joint[i] : rule ? (rule as (g: View, s: Saved<unknown>) => View)(g, context) : null;
      if (grad === null || grad === undefined) return null;
      if (!sameShape(grad.shape, node.shapes[i])) {
        throw new ShapeError(name, `the gradient to argument ${i} has another shape than the argument`, [
          grad.shape,
          node.shapes[i],
        ]);
      }
      return sumTo(grad, node.inputShapes[i]);
    });
  }

  #send(target: Node | Tensor, grad: View): void {
    if (target instanceof Tensor) {
      const mine = accumulate(target, grad, this.#owned.get(grad.storage) === 1);
      if (mine) this.#owned.delete(grad.storage);
      return;
    }
    const earlier = this.#pending.get(target);
    if (earlier === undefined) {
      this.#pending.set(target, grad);
      this.#push(target);
      this.#hold(grad.storage);
      return;
    }
    const total = add(earlier, grad);
    this.#owned.set(total.storage, 1);
    this.#pending.set(target, total);
    this.#release(earlier.storage);
  }

  #hold(storage: Storage): void {
    const count = this.#owned.get(storage);
    if (count !== undefined) this.#owned.set(storage, count + 1);
  }

  /** Gives up one reference; frees a storage of this pass that no pending gradient reads any more. */
  #release(storage: Storage): void {
    const count = this.#owned.get(storage);
    if (count === undefined) return;
    if (count > 1) {
      this.#owned.set(storage, count - 1);
    } else {
      this.#owned.delete(storage);
      storage.dispose();
    }
  }

  #push(node: Node): void {
    let low = 0;
    let high = this.#queue.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#queue[middle].id < node.id) low = middle + 1;
      else high = middle;
    }
    this.#queue.splice(low, 0, node);
  }

  #next(): Node | undefined {
    return this.#queue.pop();
  }
}

/** `leaf.grad += grad`; takes over the memory of `grad` if the pass alone owns it, and says whether it did. */
function accumulate(leaf: Tensor, grad: View, owned: boolean): boolean {
  const k = backendOf(leaf);
  const earlier = leaf.grad;
  const adopt = !earlier && owned && isContiguousView(grad) && grad.storage.length === leaf.size;
  const total = earlier ? k.binary('add', earlier, grad) : adopt ? grad : k.copy(grad);
  leaf.grad = keep(new Tensor(total));
  earlier?.dispose();
  return adopt;
}
