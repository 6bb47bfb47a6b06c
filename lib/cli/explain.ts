import Table from 'cli-table3';
import { noGrad } from '../autograd/tape.js';
import { type Call, explain } from '../kernels/trace.js';
import type { Module } from '../nn/module.js';
import { zeros } from '../tensor/create.js';
import { dispose, scope } from '../tensor/storage.js';
import type { DataShape } from '../train/config.js';

/** What one forward pass over a blank image runs, after a first one that is not told. */
export function explainForward(model: Module, { inputShape }: DataShape): readonly Call[] {
  const x = zeros([1, ...inputShape]);
  const forward = () => scope(() => noGrad(() => void model.forward(x)));
  forward();
  const { calls } = explain(forward);
  dispose(x);
  return calls;
}

/** A line a call; what a composition called in turn stands indented below it. */
export function callTable(calls: readonly Call[]): string {
  const table = new Table({
    style: { head: [], border: [] },
    head: ['row', 'operands', 'ran as', 'algorithm', 'threads', 'ms'],
  });
  const push = (call: Call, depth: number): void => {
    const { row, part, path, algorithm, threads, milliseconds, shapes } = call;
    const name = `${'  '.repeat(depth)}${row}${part === 'value' ? '' : `, ${part}`}`;
    const operands = shapes.map((shape) => `[${shape.join(', ')}]`).join(' ');
    table.push([name, operands, path, algorithm ?? '', threads, milliseconds.toFixed(3)]);
    for (const inner of call.calls) push(inner, depth + 1);
  };
  for (const call of calls) push(call, 0);
  return table.toString();
}
