import { sizeOf } from '../../tensor/shape.js';
import { isContiguousView, type View } from '../../tensor/view.js';
import type { RequiredKernels } from '../backend.js';
import type { Content, Handle } from './content.js';
import { mergeAxes, turnForward } from './layout.js';
import { map, type Operand, operand, whole } from './map.js';
import type { Runtime } from './runtime.js';
import { address, divide, input, kernelSource } from './source.js';

/** Copies, and writes into part of a storage. */
export function moveKernels(runtime: Runtime) {
  return {
    copy: (x) => runtime.result(compact(runtime, x), x.shape),
    copyInto(x, into) {
      if (sizeOf(x.shape) > 0) write(runtime, operand(runtime, x), into);
    },
  } satisfies Partial<RequiredKernels>;
}

/** True if the view is its whole storage, row-major. */
function isWhole(view: View): boolean {
  return view.offset === 0 && isContiguousView(view) && sizeOf(view.shape) === (view.storage.handle as Handle).length;
}

/** Elements of a view, row-major: shared where the view is its whole storage, or gathered. The caller holds it. */
export function compact(runtime: Runtime, x: View): Content {
  if (isWhole(x)) return runtime.contentOf(x).hold();
  return map(runtime, x.shape, [operand(runtime, x)], ([value]) => `return ${value};`);
}

/** Puts row-major numbers in place of the elements of `into`, and takes the content over. */
export function assign(runtime: Runtime, content: Content, into: View): void {
  if (isWhole(into)) {
    (into.storage.handle as Handle).replace(content);
    return;
  }
  if (sizeOf(into.shape) > 0) write(runtime, whole(content, into.shape), into);
  content.release();
}

/**
 * Gives the storage of `into` new content: `from` where an element belongs to the view, the old number elsewhere. Each
 * position of the storage is split by the view's strides, largest first; nothing may be left over.
 */
function write(runtime: Runtime, from: Operand, into: View): void {
  const turned = turnForward(into, { ...into, strides: from.strides, offset: from.offset });
  const merged = mergeAxes(into.shape, [turned.into, turned.from]);
  const [target, source] = merged.accesses;
  const axes = merged.shape.map((_, axis) => axis).sort((a, b) => target.strides[b] - target.strides[a]);
  let rest = target.offset === 0 ? 'i' : `i - ${target.offset}`;
  let code = `let keep = 0;\nconst start = ${rest};\nif (start < 0) { keep = 1; }\n`;
  rest = 'start';
  for (const axis of axes) {
    code += divide(rest, target.strides[axis], `c${axis}`, `r${axis}`);
    code += `if (c${axis} >= ${merged.shape[axis]}) { keep = 1; }\n`;
    rest = `r${axis}`;
  }
  const names = merged.shape.map((_, axis) => `c${axis}`);
  code += `if (${rest} != 0) { keep = 1; }
let y = ${input(0)}[this.thread.x];
if (keep == 0) { y = ${input(1)}[${address(source, names)}]; }
return y;`;
  const handle = into.storage.handle as Handle;
  runtime.checkLength(handle.length);
  const inputs = [runtime.contentOf(into), from.content];
  handle.replace(runtime.run(kernelSource(2, 0, code), handle.length, inputs));
}
