import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import t from 'tap';
import * as root from '../lib/index.js';
import * as node from '../lib/node.js';

const STATIC = /^(?:import|export)\s(?:[\w\s{},*$]+?from\s)?'([^']+)';$/gm;
const DYNAMIC = /import\(\s*['"]([^'"]+)['"]/g;

/**
 * What a compiled module reaches: modules by address, packages by name; at once, or also when something is asked for.
 */
function reach(entry: string, when: 'at once' | 'ever'): { files: ReadonlySet<string>; packages: ReadonlySet<string> } {
  const [files, packages] = [new Set<string>(), new Set<string>()];
  const pending = [new URL(entry, import.meta.url).href];
  for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
    if (files.has(file)) continue;
    files.add(file);
    const text = readFileSync(new URL(file), 'utf8');
    for (const [, specifier] of [...text.matchAll(STATIC), ...(when === 'ever' ? text.matchAll(DYNAMIC) : [])]) {
      if (specifier.startsWith('.')) pending.push(new URL(specifier, file).href);
      else packages.add(specifier);
    }
  }
  return { files, packages };
}

t.test('the package root loads no package and no backend but wasm', async (t) => {
  const { files, packages } = reach('../lib/index.js', 'at once');
  t.ok(files.size > 80, `walked ${files.size} modules`);
  t.strictSame([...packages], []);
  for (const room of ['kernels/gpu/index.js', 'kernels/reference/index.js']) {
    t.notOk(
      [...files].some((file) => file.endsWith(room)),
      room,
    );
  }
});

t.test('it reaches no module of Node, and no package but those that run in browsers', async (t) => {
  const { packages } = reach('../lib/index.js', 'ever');
  t.strictSame([...packages].sort(), ['gpu.js', 'ndarray', 'ndarray-ops'], 'gpu.js has a build for browsers');
});

const ROOT = new URL('../lib/index.js', import.meta.url).href;

t.test('neither importing it nor a training step evaluates a string as code', async (t) => {
  const program = `
    import { a2qPlus, mean, QuantConv2d, Random, SGD, uintActivation, uniform } from '${ROOT}';
    const random = new Random(0);
    const weight = a2qPlus({ bits: 4, accumulatorBits: 12 });
    const layer = new QuantConv2d(4, 8, 3, { weight, input: uintActivation({ bits: 4 }), random });
    mean(layer.forward(uniform([2, 4, 8, 8], random))).backward();
    new SGD(layer.parameters(), { learningRate: 0.1 }).step();
    try { new Function('return 1')(); } catch { console.log('strings are no code here'); }
  `;
  const flags = ['--disallow-code-generation-from-strings', '--input-type=module', '--eval', program];
  t.equal(execFileSync(process.execPath, flags, { encoding: 'utf8' }).trim(), 'strings are no code here');
});

t.test('the walk sees what it must not find', async (t) => {
  t.ok(reach('../lib/node.js', 'at once').packages.has('node:fs/promises'));
  t.ok(reach('../lib/cli/main.js', 'at once').packages.has('node:os'));
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
