import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LEARN } from './learn.mjs';
import { RUN_NETWORK } from './network.mjs';

const run = promisify(execFile);

/**
 * Trains a layer on four threads and on the reference backend; asks for a backend whose package is not there; runs a
 * network of integers on every engine, on one thread and two.
 */
const PROGRAM = `
  import { Adam, Linear, loadWasmBackend, mean, Random, setBackend, startBackend, uniform } from 'a2q.js';
  import { DATASET_NAMES } from 'a2q.js/node';
  import { createRuntime, loadNetwork } from 'a2q.js/runtime';
  import { readFile } from 'node:fs/promises';
  ${LEARN}
  ${RUN_NETWORK}
  const team = await loadWasmBackend({ threads: 4 });
  const [wasm, reference] = [await learn(team), await learn(await startBackend('reference'))];
  const refused = await startBackend('gpu:cpu').then(() => 'nothing', ({ message }) => message);
  const network = await readFile('net.a2q.safetensors');
  const answer = JSON.parse(await readFile('answer.json', 'utf8'));
  const exact = [];
  for (const options of [{ engine: 'reference' }, { threads: 1 }, { threads: 2 }]) {
    exact.push(await runsExactly(network, answer, options));
  }
  const learned = { ...team.describe(), wasm, reference, refused, DATASET_NAMES };
  console.log(JSON.stringify({ node: process.version, ...learned, exact }));`;

/** A short run of the command, its proof, and its page of charts. */
const commands = (run) => [
  'info --json',
  `train --model cnn --dataset glyphs --method a2q+ --acc-bits 12 --train-images 128 --epochs 1 --out ${run}`,
  `audit --run ${run} --json`,
  `report --run ${run}`,
];

/**
 * The installed package under a version of Node, which is fetched for it: a program, and the command.
 * @param version the major version
 */
export async function checkNode(folder, version) {
  const runtime = `node-${process.platform === 'win32' ? 'win' : process.platform}-${process.arch}`;
  const prefix = join(folder, `node-${version}`);
  await run('npm', ['install', '--no-save', '--no-audit', '--no-fund', '--prefix', prefix, `${runtime}@${version}`]);
  const node = join(prefix, 'node_modules', runtime, 'bin/node');
  await writeFile(join(folder, 'program.mjs'), PROGRAM);
  const start = performance.now();
  try {
    const { stdout } = await run(node, ['program.mjs'], { cwd: folder });
    const { node: found, simd, threads, wasm, reference, refused, exact } = JSON.parse(stdout);
    const close = wasm.every((loss, i) => Math.abs(loss - reference[i]) < 1e-4 * reference[i]);
    const learns = wasm.at(-1) < wasm[0];
    const command = join(folder, 'node_modules/.bin/a2q');
    for (const line of commands(`run-${version}`)) await run(node, [command, ...line.split(' ')], { cwd: folder });
    const drawn = existsSync(join(folder, `run-${version}/report.html`));
    const sound = close && learns && drawn && exact.every(Boolean);
    const passed = threads === 4 && sound && /npm i gpu\.js/.test(refused);
    const seconds = (performance.now() - start) / 1000;
    return { node: found, simd, threads, close, learns, refused, drawn, exact, seconds, passed };
  } catch ({ message, stderr }) {
    return { node: version, error: `${message}\n${stderr ?? ''}`.slice(0, 2000), passed: false };
  }
}
