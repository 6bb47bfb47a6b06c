import { readFileSync } from 'node:fs';
import t from 'tap';
import * as root from '../lib/index.js';
import * as node from '../lib/node.js';

const IMPORT =
  /(?:^|\n)\s*(?:import|export)\s[^'";]*?from\s*['"]([^'"]+)['"]|(?:^|\n)import\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]/g;

/** The modules a compiled module reaches: files by address, packages by name. */
function reach(entry: string): { files: Set<string>; packages: Set<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const pending = [new URL(entry, import.meta.url).href];
  for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    for (const [, a, b, c] of readFileSync(new URL(file), 'utf8').matchAll(IMPORT)) {
      const specifier = a ?? b ?? c;
      if (specifier.startsWith('.')) pending.push(new URL(specifier, file).href);
      else packages.add(specifier);
    }
  }
  return { files, packages };
}

t.test('the package root reaches no module of Node, and no package but those that run in browsers', async (t) => {
  const { files, packages } = reach('../lib/index.js');
  t.ok(files.size > 80, `walked ${files.size} modules`);
  t.strictSame([...packages].sort(), ['fast-png', 'jpeg-js', 'ndarray', 'ndarray-ops']);
});

t.test('the walk sees what it must not find', async (t) => {
  const { packages } = reach('../lib/node.js');
  t.ok(packages.has('node:fs/promises'));
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
