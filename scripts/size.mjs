/**
 * What a program that uses little of the package carries of it: bundled by esbuild into one minified script, in bytes
 * with gzip. `npm run size` prints a JSON line for each, and fails above its limit. Needs a build.
 */
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** Programs, and the kB they may take. */
const PROGRAMS = {
  l1Budget: { limit: 5, source: `export { l1Budget } from 'a2q.js';` },
  'a linear layer, forward and backward': {
    limit: 60,
    source: `
      import { Linear, Random, sum, uniform } from 'a2q.js';
      const random = new Random(0);
      const layer = new Linear(4, 3, { random });
      sum(layer.forward(uniform([2, 4], random))).backward();
      console.log(await layer.weight.grad.data());`,
  },
};

for (const [program, { limit, source }] of Object.entries(PROGRAMS)) {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: import.meta.dirname },
    bundle: true,
    minify: true,
    format: 'esm',
    write: false,
  });
  const gzippedBytes = gzipSync(outputFiles[0].contents).length;
  const passed = gzippedBytes <= limit * 1000;
  console.log(JSON.stringify({ check: 'size', program, gzippedBytes, limitBytes: limit * 1000, passed }));
  if (!passed) process.exitCode = 1;
}
