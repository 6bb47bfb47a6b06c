import { readFileSync } from 'node:fs';
import t from 'tap';
import * as root from '../lib/index.js';
import * as node from '../lib/node.js';

const STATIC = /(?:^|\n)\s*(?:import|export)\s(?:[^'";]*?from\s*)?['"]([^'"]+)['"]/g;
const DYNAMIC = /import\(\s*['"]([^'"]+)['"]/g;

/** What a compiled module reaches: modules by address, packages by name, and those loaded only when asked for. */
function reach(entry: string): { files: Set<string>; packages: Set<string>; onDemand: Set<string> } {
  const [files, packages, onDemand] = [new Set<string>(), new Set<string>(), new Set<string>()];
  const pending = [new URL(entry, import.meta.url).href];
  for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    const text = readFileSync(new URL(file), 'utf8');
    const follow = (specifier: string, into: Set<string>) =>
      specifier.startsWith('.') ? pending.push(new URL(specifier, file).href) : into.add(specifier);
    for (const [, specifier] of text.matchAll(STATIC)) follow(specifier, packages);
    for (const [, specifier] of text.matchAll(DYNAMIC)) follow(specifier, onDemand);
  }
  return { files, packages, onDemand };
}

t.test('the package root reaches no module of Node, and no package but those that run in browsers', async (t) => {
  const { files, packages, onDemand } = reach('../lib/index.js');
  t.ok(files.size > 80, `walked ${files.size} modules`);
  t.strictSame([...packages].sort(), ['fast-png', 'jpeg-js', 'ndarray', 'ndarray-ops']);
  t.strictSame([...onDemand].sort(), ['gpu.js'], 'which has a build for browsers');
});

t.test('the walk sees what it must not find', async (t) => {
  t.ok(reach('../lib/node.js').packages.has('node:fs/promises'));
  t.ok(reach('../lib/cli/main.js').packages.has('node:os'));
});

t.test('a newcomer finds the words of every room', async (t) => {
  const { matmul, tensor, Tensor, conv2d, checkGrads, Linear, SGD, SmallCnn, a2qPlus, epInit, testAccumulator } = root;
  for (const word of [
    matmul,
    tensor,
    Tensor,
    conv2d,
    checkGrads,
    Linear,
    SGD,
    SmallCnn,
    a2qPlus,
    epInit,
    testAccumulator,
  ])
    t.type(word, 'function');
  t.strictSame(
    await tensor([[1, 2]])
      .matmul(tensor([[3], [4]]))
      .toArray(),
    [[11]],
  );
});

t.test('files belong to the Node entry', async (t) => {
  t.type(node.readCifar10, 'function');
  t.notOk('readCifar10' in root);
});
