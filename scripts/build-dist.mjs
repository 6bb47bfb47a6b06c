/**
 * After `tsc`: what the package needs beside its modules.
 *
 * - `dist/lib/kernels/wasm/kernelWorker.js`, self-contained;
 * - `dist/cli`, the command with the packages that only it needs, on the modules of `dist/lib`: whatever a model of a
 *   user imports from the package is what the command runs;
 * - `dist/lib/deploy/exchange/onnx/protobuf.js`, with the protobuf library and ONNX's messages in it;
 * - `dist/cli/THIRD-PARTY-NOTICES`, the licences of the packages in these.
 */
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { build } from 'esbuild';

const root = join(import.meta.dirname, '..');
const lib = join(root, 'dist/lib');
const cli = join(root, 'dist/cli');

const { workerScript } = await import('../dist/lib/kernels/wasm/worker.generated.js');
writeFileSync(join(lib, 'kernels/wasm/kernelWorker.js'), `${workerScript}\n`);

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** Leaves out what the package has anyway: the rooms below the command line, and the dependencies. */
const shared = {
  name: 'shared with the package',
  setup({ onResolve }) {
    onResolve({ filter: /^\./ }, ({ path, resolveDir }) => {
      const file = join(resolveDir, path);
      const inLib = file.startsWith(lib + sep) && !file.startsWith(join(lib, 'cli') + sep);
      return inLib ? { path: `../${relative(dirname(lib), file).split(sep).join('/')}`, external: true } : null;
    });
  },
};

rmSync(cli, { recursive: true, force: true });
const command = await build({
  entryPoints: [join(lib, 'cli/main.js')],
  outdir: cli,
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  minifySyntax: true,
  minifyWhitespace: true,
  external: Object.keys(manifest.dependencies),
  // Packages of CommonJS that ask Node for its modules.
  banner: { js: "import{createRequire}from'node:module';const require=createRequire(import.meta.url);" },
  plugins: [shared],
  metafile: true,
  logLevel: 'warning',
});

const protobuf = 'deploy/exchange/onnx/protobuf';
const messages = await build({
  entryPoints: [join(root, 'lib', `${protobuf}.ts`)],
  outfile: join(lib, `${protobuf}.js`),
  bundle: true,
  format: 'esm',
  platform: 'neutral',
  mainFields: ['module'],
  target: 'es2022',
  minifySyntax: true,
  minifyWhitespace: true,
  metafile: true,
  logLevel: 'warning',
});

/** Folders of the packages that bundles hold. */
function packagesOf(bundles) {
  const files = bundles.flatMap(({ metafile }) => Object.keys(metafile.inputs));
  const folders = files.map((file) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1]);
  return [...new Set(folders.filter((folder) => folder !== undefined))].sort();
}

function notice(folder) {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
  const text = file === undefined ? '' : `\n\n${readFileSync(join(folder, file), 'utf8').trim()}`;
  return `${name} ${version} (${license})${text}`;
}

const packages = packagesOf([command, messages]).filter((folder) => existsSync(join(folder, 'package.json')));
writeFileSync(
  join(cli, 'THIRD-PARTY-NOTICES'),
  `The package contains these others.\n\n${packages.map(notice).join(`\n\n${'-'.repeat(80)}\n\n`)}\n`,
);
