import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';

/** Programs, and the bytes they may take. */
const PROGRAMS = {
  l1Budget: { limitBytes: 5_000, source: `export { l1Budget } from 'a2q.js';` },
  'all of a2q.js/runtime, with its WebAssembly': {
    limitBytes: 60_000,
    source: `export * from 'a2q.js/runtime';`,
  },
  'a linear layer, forward and backward': {
    limitBytes: 60_000,
    source: `
      import { Linear, Random, sum, uniform } from 'a2q.js';
      const random = new Random(0);
      const layer = new Linear(4, 3, { random });
      sum(layer.forward(uniform([2, 4], random))).backward();
      console.log(await layer.weight.grad.data());`,
  },
};

/**
 * What a program that uses little of the package carries of it, in bytes with gzip: bundled by esbuild into one
 * minified script.
 * @param folder from where the package is found
 */
export function checkSizes(folder) {
  const measured = Object.entries(PROGRAMS).map(async ([program, { limitBytes, source }]) => {
    const stdin = { contents: source, resolveDir: folder };
    const { outputFiles } = await build({ stdin, bundle: true, minify: true, format: 'esm', write: false });
    const gzippedBytes = gzipSync(outputFiles[0].contents).length;
    return { program, gzippedBytes, limitBytes, passed: gzippedBytes <= limitBytes };
  });
  return Promise.all(measured);
}
