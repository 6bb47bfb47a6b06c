/**
 * The package as a consumer has it: packed, installed into a folder of its own, compiled against, run by several
 * versions of Node and in pages that two bundlers made. Prints a JSON line for each check, and fails if one does.
 *
 *     npm run check:package [-- NODE_VERSION…]
 */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { checkInstalled, checkPacked } from './contents.mjs';
import { writeNetwork } from './network.mjs';
import { checkNode } from './nodes.mjs';
import { checkPages } from './pages.mjs';
import { checkSizes } from './sizes.mjs';
import { checkManifest, checkTypes } from './types.mjs';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const versions = process.argv.length > 2 ? process.argv.slice(2) : ['20', '22', '24'];

/** Prints what a check found. */
function report(check, findings) {
  console.log(JSON.stringify({ check, ...findings }));
  if (!findings.passed) process.exitCode = 1;
}

const folder = await mkdtemp(join(tmpdir(), 'a2q-consumer-'));
try {
  await run('npm', ['pack', '--pack-destination', folder], { cwd: root, maxBuffer: 2 ** 26 });
  const tarball = join(
    folder,
    (await readdir(folder)).find((file) => file.endsWith('.tgz')),
  );
  await writeFile(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }));
  await run('npm', ['install', '--no-audit', '--no-fund', tarball], { cwd: folder });

  report('packed', await checkPacked(tarball));
  report('installed', await checkInstalled(folder));
  for (const each of await checkSizes(folder)) report('size', each);
  for (const each of await checkManifest(root, tarball)) report('manifest', each);
  for (const each of await checkTypes(root, folder)) report('types', each);
  await writeNetwork(root, folder);
  for (const version of versions) report('node', await checkNode(folder, version));
  for (const each of await checkPages(folder)) report('page', each);
} finally {
  await rm(folder, { recursive: true, force: true });
}
