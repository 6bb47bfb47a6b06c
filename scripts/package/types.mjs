import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What a consumer might write: the root alone, and with the Node entry. */
const SOURCES = {
  'root.ts': `
    import { a2qPlus, l1Budget, Linear, Random, sum, toNdarray, uniform, uintActivation, QuantLinear } from 'a2q.js';
    const random = new Random(0);
    const layer = new Linear(4, 3, { random });
    sum(layer.forward(uniform([2, 4], random)).mul(2)).backward();
    export const shape: Promise<number[]> = toNdarray(layer.weight).then((array) => array.shape);
    export const quantized = new QuantLinear(4, 3, {
      weight: a2qPlus({ bits: 4, accumulatorBits: 12 }), input: uintActivation({ bits: 4 }), random,
    });
    export const limit: number = l1Budget('a2q', 12, { bits: 4, signed: false });`,
  'runtime.ts': `
    import { classify, createRuntime, loadNetwork, type Picture, type Runtime } from 'a2q.js/runtime';
    export async function classes(bytes: ArrayBuffer, picture: Picture): Promise<string[]> {
      const runtime: Runtime = await createRuntime(loadNetwork(bytes), { engine: 'wasm', threads: 2 });
      return (await classify(runtime, picture)).map(({ name }) => name);
    }`,
  'node.ts': `
    import { loadWasmBackend } from 'a2q.js';
    import { openBatches, trainRun } from 'a2q.js/node';
    export { loadWasmBackend, openBatches, trainRun };`,
};

const RESOLUTIONS = [
  { module: 'nodenext', moduleResolution: 'nodenext' },
  { module: 'node16', moduleResolution: 'node16' },
  { module: 'esnext', moduleResolution: 'bundler' },
];

/** Where a program may run, as its compiler knows it: in a page, or in Node alone. */
const PLACES = {
  page: { lib: 'es2022,dom', ambient: [], files: ['root.ts', 'runtime.ts'] },
  node: { lib: 'es2022', ambient: ['--types', 'node'], files: ['root.ts', 'runtime.ts', 'node.ts'] },
};

/** `tsc --strict` of a consumer, which checks the declarations of the package and of what it depends on. */
export async function checkTypes(root, folder) {
  for (const [name, text] of Object.entries(SOURCES)) await writeFile(join(folder, name), text);
  const typescript = join(root, 'node_modules/typescript/bin/tsc');
  const findings = [];
  for (const { module, moduleResolution } of RESOLUTIONS) {
    for (const [place, { lib, ambient, files }] of Object.entries(PLACES)) {
      const strict = ['--noEmit', '--strict', '--skipLibCheck', 'false', '--target', 'es2022', '--lib', lib];
      const modules = ['--module', module, '--moduleResolution', moduleResolution];
      const types = ambient.length === 0 ? [] : [...ambient, '--typeRoots', join(root, 'node_modules/@types')];
      const command = [typescript, ...strict, ...modules, ...types, ...files];
      const errors = await complaints(process.execPath, command, folder);
      findings.push({ moduleResolution, place, errors, passed: errors.length === 0 });
    }
  }
  return findings;
}

/** `publint` and `@arethetypeswrong/cli`, of a package of ES modules alone. */
export async function checkManifest(root, tarball) {
  const tools = { publint: [tarball, '--strict'], attw: [tarball, '--profile', 'esm-only', '--no-emoji'] };
  const findings = Object.entries(tools).map(async ([tool, args]) => {
    const errors = await complaints(join(root, 'node_modules/.bin', tool), args, root);
    return { tool, errors, passed: errors.length === 0 };
  });
  return Promise.all(findings);
}

/** What a command that fails says, in lines; none if it succeeds. */
async function complaints(command, args, cwd) {
  try {
    await run(command, args, { cwd, maxBuffer: 2 ** 26 });
    return [];
  } catch ({ stdout, stderr, message }) {
    const lines = `${stdout}${stderr}`.trim().split('\n').slice(0, 20);
    return lines[0] === '' ? [message] : lines;
  }
}
