import { sizeOf } from '../../tensor/shape.js';
import { isContiguousView, type View } from '../../tensor/view.js';
import type { RequiredKernels } from '../backend.js';
import type { Block, Content } from './content.js';
import { mergeAxes, turnForward } from './layout.js';
import type { Machine } from './machine.js';
import { map, type Operand, operand, whole } from './map.js';
import { address, divide, input, kernelSource } from './source.js';

/** Copies, and writes into part of a block. */
export function moveKernels(machine: Machine) {
  return {
    copy: (x) => machine.result(compact(machine, x), x.shape),
    copyInto(x, into) {
      if (sizeOf(x.shape) > 0) write(machine, operand(machine, x), into);
    },
  } satisfies Partial<RequiredKernels>;
}

/** True if the view is its whole storage, row-major. */
function isWhole(view: View): boolean {
  return view.offset === 0 && isContiguousView(view) && sizeOf(view.shape) === (view.storage.handle as Block).length;
}

/** Elements of a view, row-major: shared where the view is its whole storage, or gathered. The caller holds it. */
export function compact(machine: Machine, x: View): Content {
  if (isWhole(x)) return machine.contentOf(x).hold();
  return map(machine, x.shape, [operand(machine, x)], ([value]) => `return ${value};`);
}

/** Puts row-major numbers in place of the elements of `into`, and takes the content over. */
export function assign(machine: Machine, content: Content, into: View): void {
  if (isWhole(into)) {
    (into.storage.handle as Block).replace(content);
    return;
  }
  if (sizeOf(into.shape) > 0) write(machine, whole(content, into.shape), into);
  content.release();
}

/**
 * Gives the block of `into` a new content: `from` where an element belongs to the view, the old number elsewhere. Each
 * position of the block is split by the view's strides, largest first; nothing may be left over.
 */
function write(machine: Machine, from: Operand, into: View): void {
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
  const block = into.storage.handle as Block;
  machine.checkLength(block.length);
  const inputs = [machine.contentOf(into), from.content];
  block.replace(machine.run(kernelSource(2, 0, code), block.length, inputs));
}
