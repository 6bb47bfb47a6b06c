import { spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { Random } from '../../../lib/tensor/random.js';
import { EVERY } from './trainChild.js';

const CHILD = fileURLToPath(new URL('./trainChild.js', import.meta.url));
const KILLS = 20;

/** What a process that trained told before its end. */
interface Life {
  /** Steps that were done when it began; null if it did not come so far. */
  readonly start: number | null;
  /** The last step it took. */
  readonly step: number;
  readonly notes: readonly string[];
  readonly signal: NodeJS.Signals | null;
}

/** When to kill: some milliseconds after some steps. */
interface Death {
  readonly steps: number;
  readonly ms: number;
}

/** Trains, and kills the process. @param death null lets it end */
function train(folder: string, death: Death | null): Promise<Life> {
  const child = spawn(process.execPath, [CHILD, folder], { stdio: ['ignore', 'pipe', 'inherit'] });
  let told = '';
  let doomed = false;
  child.stdout.on('data', (chunk) => {
    told += chunk;
    if (death === null || doomed || told.split(/^start|^step/m).length - 2 < death.steps) return;
    doomed = true;
    setTimeout(() => child.kill('SIGKILL'), death.ms);
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (_, signal) => {
      const numbers = (word: string) =>
        Array.from(told.matchAll(new RegExp(`^${word} (\\d+)$`, 'gm')), ([, n]) => Number(n));
      const start = numbers('start').at(0) ?? null;
      const notes = Array.from(told.matchAll(/^note (.*)$/gm), ([, text]) => text);
      resolve({ start, step: numbers('step').at(-1) ?? start ?? 0, notes, signal });
    });
  });
}

t.test(`killed ${KILLS} times at any moment, a run ends at the same bits`, async (t) => {
  const folder = t.testdir({ straight: {}, killed: {} });
  const [straight, killed] = [join(folder, 'straight'), join(folder, 'killed')];
  await train(straight, null);
  const random = new Random(7);
  let reached = 0;
  for (let i = 0; i < KILLS; i++) {
    const life = await train(killed, { steps: random.integer(7), ms: random.integer(15) });
    if (life.signal === null) break;
    t.ok((life.start ?? reached) >= reached - EVERY, `resumed at ${life.start} after step ${reached}`);
    t.ok(i === 0 || life.notes.some((note) => /lock of a process that is gone/.test(note)), 'the lock was taken over');
    reached = life.step;
  }
  t.ok(reached > 0, `killed at step ${reached} at last`);
  t.equal((await train(killed, null)).signal, null);
  t.same((await readdir(killed)).sort(), ['best.safetensors', 'config.json', 'last.safetensors', 'log.jsonl']);
  for (const file of ['last.safetensors', 'best.safetensors', 'config.json']) {
    const [a, b] = await Promise.all([straight, killed].map((path) => readFile(join(path, file))));
    t.ok(a.equals(b), `${file}, byte for byte`);
  }
  const timeless = async (path: string) =>
    (await readFile(join(path, 'log.jsonl'), 'utf8')).replaceAll(/"(msPerStep|seconds)":[\d.]+/g, '');
  t.equal(await timeless(killed), await timeless(straight), 'and at the same log');
});
