import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';

const ROOT = fileURLToPath(new URL('../lib/index.js', import.meta.url));

/** `import … from 'x';`, `export … from 'x';`, `import 'x';` */
const IMPORT = /^(?:import|export)\s(?:[\w\s{},*$]+?from\s)?'([^']+)';$/gm;

/** Every module that importing `entry` loads, and every package: static imports only. */
function loadedBy(entry: string): { readonly files: ReadonlySet<string>; readonly packages: ReadonlySet<string> } {
  const files = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string): void => {
    if (files.has(file)) return;
    files.add(file);
    for (const [, name] of readFileSync(file, 'utf8').matchAll(IMPORT)) {
      if (name.startsWith('.')) visit(resolve(dirname(file), name));
      else packages.add(name);
    }
  };
  visit(entry);
  return { files, packages };
}

t.test('the package root loads no package, no image decoder and no backend but wasm', async (t) => {
  const { files, packages } = loadedBy(ROOT);
  t.ok(files.size > 80, `${files.size} modules were followed`);
  t.strictSame([...packages], [], 'packages');
  const rooms = ['kernels/gpu/index.js', 'kernels/reference/index.js', 'data/decode.js', 'data/jpeg.js'];
  for (const room of rooms) t.notOk(files.has(join(dirname(ROOT), room)), room);
});

t.test('it evaluates no string as code, nor does a training step', async (t) => {
  const program = `
    import { Random, QuantConv2d, SGD, a2qPlus, mean, uintActivation, uniform } from ${JSON.stringify(ROOT)};
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
