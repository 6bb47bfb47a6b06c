import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { words } from './a2q.js';

const MAIN = fileURLToPath(new URL('../../lib/cli/main.js', import.meta.url));
const TINY =
  '--model cnn --dataset glyphs --train-images 64 --batch-size 8 --limit-batches 4 --method float --threads 1';

/** Runs a2q in a shell, which says what becomes of its output; `$A2Q` stands for the command. */
function shell(script: string, args: readonly string[]): Promise<number | null> {
  const child = spawn('bash', ['-c', script, ...args], {
    env: { ...process.env, A2Q: `${process.execPath} ${MAIN}` },
    stdio: 'ignore',
  });
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', resolve);
  });
}

async function epochsOf(folder: string): Promise<number> {
  return (await readFile(join(folder, 'log.jsonl'), 'utf8')).trim().split('\n').length;
}

t.test('training goes on without a reader, and says so in its exit code only where a result is lost', async (t) => {
  const folder = t.testdir({});
  const ways: readonly (readonly [name: string, redirection: string, code: number])[] = [
    ['stderr', '2> >(exec head -n 1 > /dev/null)', 0],
    ['both', '2>&1 | head -n 1; exit "$PIPESTATUS"', 0],
    ['json', '--json | true; exit "$PIPESTATUS"', 0],
    ...(existsSync('/dev/full') ? ([['log on a full disk', '2> /dev/full', 0]] as const) : []),
    ...(existsSync('/dev/full') ? ([['result on a full disk', '> /dev/full', 1]] as const) : []),
  ];
  for (const [name, redirection, code] of ways) {
    const out = join(folder, name);
    const ended = await shell(`$A2Q "$@" ${redirection}`, ['bash', ...words(`train ${TINY} --epochs 3 --out`), out]);
    t.equal(ended, code, name);
    t.equal(await epochsOf(out), 3, `${name}: all epochs are there`);
  }
});

t.test('commands that print end well without a reader', async (t) => {
  for (const line of ['info --json', 'bounds --weight-bits 4 --act-bits 4 --k 9', '--help', 'train --schema']) {
    t.equal(await shell('$A2Q "$@" | true; exit "$PIPESTATUS"', ['bash', ...words(line)]), 0, line);
  }
});

for (const signals of [['SIGHUP', 'SIGHUP'], ['SIGTERM'], ['SIGINT', 'SIGINT']] as const) {
  t.test(`${signals.join(', ')} leaves a checkpoint`, async (t) => {
    const out = join(t.testdir({}), 'run');
    const child = spawn(process.execPath, [MAIN, ...words(`train ${TINY} --epochs 500 --out`), out], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let told = '';
    child.stderr.on('data', (chunk) => {
      if (!told.includes('epoch 2/') && `${told}${chunk}`.includes('epoch 2/'))
        for (const each of signals) child.kill(each);
      told += chunk;
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    t.equal(code, 130, told);
    t.match(told, 'stopping after this step');
    t.ok(existsSync(join(out, 'last.safetensors')));
  });
}
