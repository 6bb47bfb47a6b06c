/**
 * Runs the commands of README.md as they are written, in their order, in an empty folder that has the package of this
 * checkout installed: `npm i a2q.js` installs its tarball. Prints a JSON line for each, and fails at the first that
 * does. A block of `console NAME` needs the data set of that name in A2Q_DATA_DIR, and is skipped, by name, without it.
 *
 *     npm run check:readme
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const root = join(import.meta.dirname, '..');
const dataDir = process.env.A2Q_DATA_DIR === undefined ? undefined : resolve(process.env.A2Q_DATA_DIR);
const env = { ...process.env, ...(dataDir === undefined ? {} : { A2Q_DATA_DIR: dataDir }) };

/** The blocks of commands of a page: the data set each needs, and its commands, lines that end in \ joined. */
export function consoleBlocks(page) {
  return [...page.matchAll(/^```console ?(.*)\n([\s\S]*?)^```/gm)].map(([, needs, text]) => ({
    needs: needs === '' ? null : needs,
    commands: text
      .split(/^\$ /m)
      .slice(1)
      .map((command) => command.trimEnd()),
  }));
}

/** Runs a command of a shell. @returns what it said and how it ended */
function run(command, cwd) {
  const start = performance.now();
  const { status, stdout, stderr } = spawnSync('bash', ['-ec', command], { cwd, env, encoding: 'utf8' });
  return { passed: status === 0, seconds: Math.round((performance.now() - start) / 100) / 10, said: stdout + stderr };
}

function check(command, instead, cwd) {
  const { said, ...outcome } = run(instead, cwd);
  console.log(JSON.stringify({ command, ...outcome }));
  if (outcome.passed) return true;
  console.error(said);
  process.exitCode = 1;
  return false;
}

/** Packs this checkout. @returns the path of the tarball */
function pack(folder) {
  const { passed, said } = run(`npm pack --pack-destination '${folder}'`, root);
  if (!passed) throw new Error(said);
  return join(
    folder,
    readdirSync(folder).find((file) => file.endsWith('.tgz')),
  );
}

function checkReadme(folder) {
  const tarball = pack(folder);
  writeFileSync(join(folder, 'package.json'), '{ "private": true }');
  for (const { needs, commands } of consoleBlocks(readFileSync(join(root, 'README.md'), 'utf8'))) {
    if (needs !== null && !(dataDir && existsSync(join(dataDir, needs)))) {
      console.log(JSON.stringify({ skipped: commands, why: `no ${needs} in A2Q_DATA_DIR` }));
      continue;
    }
    for (const command of commands) {
      if (!check(command, command.replace(/^npm i a2q\.js$/, `npm i '${tarball}'`), folder)) return;
    }
  }
}

if (process.argv[1] === import.meta.filename) {
  const folder = mkdtempSync(join(tmpdir(), 'a2q-readme-'));
  try {
    checkReadme(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
