import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

const MEGABYTE = 1e6;
const MOST_MEGABYTES = 30;
const MOST_PACKAGES = 30;

/** What the tarball holds: the built library, and nothing that only developers need. */
export function checkPacked(tarball) {
  const files = execFileSync('tar', ['tzf', tarball], { encoding: 'utf8' }).trim().split('\n');
  const wanted = [
    'dist/lib/index.js',
    'dist/lib/index.d.ts',
    'dist/lib/node.js',
    'dist/lib/runtime.js',
    'dist/cli/main.js',
  ];
  const missing = wanted.filter((file) => !files.includes(`package/${file}`));
  const needless = files.filter((file) => /\/(spec|bench|examples)\/|\.map$|(?<!\.d)\.ts$|\.tsbuildinfo$/.test(file));
  const passed = missing.length === 0 && needless.length === 0;
  return { files: files.length, megabytes: statSync(tarball).size / MEGABYTE, missing, needless, passed };
}

/** What the installation brought: how much, and nothing native. */
export function checkInstalled(folder) {
  const modules = join(folder, 'node_modules');
  const { packages } = JSON.parse(readFileSync(join(modules, '.package-lock.json'), 'utf8'));
  const scripts = Object.keys(packages).filter((name) => packages[name].hasInstallScript);
  const files = readdirSync(modules, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const native = files.filter(({ name }) => name.endsWith('.node')).map(({ name }) => name);
  const bytes = files.reduce((sum, { parentPath, name }) => sum + statSync(join(parentPath, name)).size, 0);
  const count = Object.keys(packages).length;
  const megabytes = bytes / MEGABYTE;
  const small = count <= MOST_PACKAGES && megabytes <= MOST_MEGABYTES;
  return { packages: count, megabytes, scripts, native, passed: small && scripts.length + native.length === 0 };
}
