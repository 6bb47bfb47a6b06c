import { copyFile, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, type Plugin } from 'esbuild';

/** The page's HTML and CSS; the compiled scripts are beside this file. */
const SOURCES = fileURLToPath(new URL('../../../examples/browser/', import.meta.url));

/**
 * ndarray and ndarray-ops write functions as strings when they are loaded, which a strict content security policy
 * forbids. Only the reference backend and exchange with ndarray need them: they are loaded at their first use.
 */
const lateNdarray: Plugin = {
  name: 'late ndarray',
  setup({ onResolve, onLoad }) {
    const filter = /^ndarray(-ops)?$/;
    onResolve({ filter }, ({ path, kind }) => (kind === 'import-statement' ? { path, namespace: 'late' } : null));
    onLoad({ filter, namespace: 'late' }, ({ path }) => ({
      contents: `const load = () => require('${path}');
export default new Proxy(function () {}, {
  get: (_, key) => load()[key],
  apply: (_, __, args) => load()(...args),
});`,
      resolveDir: SOURCES,
    }));
  },
};

/**
 * Bundles the page into a folder that any web server can serve. gpu.js becomes a file of its own, loaded when a GPU
 * mode is chosen.
 * @param production minify; otherwise readable, with source maps
 */
export async function buildPage(folder: string, production: boolean): Promise<void> {
  await mkdir(folder, { recursive: true });
  for (const file of ['index.html', 'style.css']) await copyFile(join(SOURCES, file), join(folder, file));
  await build({
    entryPoints: [fileURLToPath(new URL('./page.js', import.meta.url))],
    outdir: folder,
    bundle: true,
    format: 'esm',
    splitting: true,
    minify: production,
    sourcemap: !production,
    plugins: [lateNdarray],
    logLevel: 'warning',
  });
}
