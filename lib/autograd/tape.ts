// What computes needs a backend.
import { asOptions, asTensor } from '../tensor/argument.js';
import '../kernels/current.js';
import { add, backendOf, sumTo } from '../kernels/value.js';
import { ShapeError, TapeError } from '../tensor/errors.js';
import { broadcastShapes, checkShape, type Shape, sameShape } from '../tensor/shape.js';
import { type DType, keep, Storage, scope } from '../tensor/storage.js';
import { Tensor } from '../tensor/tensor.js';
import { checkAlike, type Home, isContiguousView, type View, viewExpand } from '../tensor/view.js';
import { checkOperands } from './operands.js';
import { isRecording, noGrad } from './recording.js';
import { differentiate, evaluate, type Row, type Saved, type SavedKey } from './row.js';
import { SavedValues } from './saved.js';

/** How a tensor was made: one entry of the tape. */
interface Node {
  /** Creation order; backward walks it downwards, which is a topological order. */
  readonly id: number;
  readonly row: Row<unknown>;
  readonly attrs: unknown;
  /** Where gradients flow on: a computed tensor's node, a leaf that collects, or nowhere. */
  readonly parents: readonly (Node | Tensor<DType> | null)[];
  /** Dtype and backend of all inputs, and so of their gradients. */
  readonly home: Home;
  /** Shapes of the inputs as given, and as the row saw them. */
  readonly inputShapes: readonly Shape[];
  readonly shapes: readonly Shape[];
  /** Declared by the row; null once backward has consumed them. */
  saved: SavedValues | null;
}

export { isRecording, noGrad, withGrad } from './recording.js';

let nextId = 0;

/** Applies a row of one output: checks, runs it, records. */
export function apply<A, D extends DType>(row: Row<A>, inputs: readonly Tensor<D>[], attrs: A): Tensor<D> {
  return applyAll(row, inputs, attrs)[0];
}

/** Applies a row and returns all of its outputs, of which the first has a history. */
export function applyAll<A, D extends DType>(
  row: Row<A>,
  inputs: readonly Tensor<D>[],
  attrs: A,
): readonly Tensor<D>[] {
  checkOperands(asOptions('apply', row, 'the row').name, inputs, row.moves);
  const inputShapes = inputs.map((x) => x.shape);
  let views: readonly View[] = inputs;
  let expected: readonly Shape[] | null = null;
  if (row.shape === 'broadcast') {
    const shape = inputShapes.reduce((a, b) => broadcastShapes(row.name, a, b));
    views = inputs.map((x) => viewExpand(x, shape));
    expected = [shape];
  } else if (row.shape !== 'own') {
    const shapes = row.shape(inputShapes, attrs);
    expected = Array.isArray(shapes[0]) ? (shapes as readonly Shape[]) : [shapes as Shape];
  }
  if (expected) for (const shape of expected) checkShape(row.name, shape);
  const results = evaluate(row, views, attrs);
  if (expected) checkResults(row.name, results, expected);
  const outputs = results.map((view) => new Tensor<D>(view));
  if (isRecording() && row.vjp && inputs.some((x) => x.requiresGrad)) {
    const [output] = outputs;
    output.requiresGrad = true;
    output.node = record(row as Row<unknown>, inputs, views, results, attrs);
  }
  return outputs;
}

function checkResults(name: string, results: readonly View[], expected: readonly Shape[]): void {
  if (results.length !== expected.length) {
    throw new TapeError(name, `the row promises ${expected.length} outputs; there are ${results.length}`);
  }
  expected.forEach((shape, i) => {
    if (sameShape(results[i].shape, shape)) return;
    throw new ShapeError(name, 'the kernel returned another shape than the row promises', [results[i].shape, shape]);
  });
}

function record(
  row: Row<unknown>,
  inputs: readonly Tensor<DType>[],
  views: readonly View[],
  results: readonly View[],
  attrs: unknown,
): Node {
  return {
    id: nextId++,
    row,
    attrs,
    parents: inputs.map((x) => (x.requiresGrad ? ((x.node as Node | null) ?? x) : null)),
    home: { dtype: inputs[0].dtype, device: inputs[0].device },
    inputShapes: inputs.map((x) => x.shape),
    shapes: views.map((view) => view.shape),
    saved: new SavedValues(row.name, row.saves ?? [], views, results),
  };
}

/**
 * Adds to `.grad` of every leaf the derivative of `loss` with respect to it (reverse mode).
 *
 * @param gradient the gradient to `loss` itself, of its shape; needed unless `loss` has one element
 * @param options.retain keeps what the tape saved, so that backward can run again
 * @throws TapeError if `loss` has no history, it was consumed by an earlier backward, or what it needs was overwritten
 */
export function backward(loss: Tensor, gradient?: Tensor, options: { readonly retain?: boolean } = {}): void {
  if (!asTensor('backward', 'the loss', loss).requiresGrad) {
    throw new TapeError('backward', 'this tensor does not depend on anything that requires a gradient');
  }
  if (gradient === undefined && loss.size !== 1) {
    throw new ShapeError('backward', 'a loss of more than one element needs a gradient of its shape', [loss.shape]);
  }
  if (gradient !== undefined && !sameShape(asTensor('backward', 'the gradient', gradient).shape, loss.shape)) {
    throw new ShapeError('backward', 'the gradient must have the shape of the loss', [gradient.shape, loss.shape]);
  }
  if (gradient !== undefined) checkAlike('backward', gradient, loss);
  const seed = gradient ?? backendOf(loss).fill(loss.shape, 1, loss.dtype);
  new BackwardPass(asOptions('backward', options).retain ?? false).run(loss, seed);
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
    const { saved, row } = node;
    const { name } = row;
    if (saved === null) {
      throw new TapeError(
        'backward',
        `the tape of ${name} was consumed by an earlier backward; pass { retain: true } there`,
      );
    }
    const read = (key: SavedKey) => saved.read(key);
    const context: Saved<unknown> = {
      attrs: node.attrs,
      shapes: node.shapes,
      input: read,
      output: (index = 0) => read(index === 0 ? 'output' : `output${index}`),
    };
    const grads = differentiate(
      row,
      g,
      context,
      node.parents.map((parent) => parent !== null),
    );
    return grads.map((grad, i) => {
      if (grad === null) return null;
      if (!sameShape(grad.shape, node.shapes[i])) {
        throw new ShapeError(name, `the gradient to argument ${i} has another shape than the argument`, [
          grad.shape,
          node.shapes[i],
        ]);
      }
      checkAlike(name, grad.storage, node.home);
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
