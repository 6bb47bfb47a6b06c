import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parseOptions, UsageError } from '../../bench/options.js';

function bench(...args: string[]) {
  const main = fileURLToPath(new URL('../../bench/main.js', import.meta.url));
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
}

const REFUSED: readonly (readonly [string, RegExp])[] = [
  ['', /name at least one benchmark/],
  ['matmul fft', /there is no 'fft'/],
  ['matmul --fast', /--fast/],
  ['matmul --rounds 0', /--rounds must be an integer/],
  ['conv --threads two', /--threads must be an integer/],
  ['conv --backend cuda', /there is no 'cuda'/],
  ['conv --backend reference --threads 2', /for the wasm backend/],
  ['conv --backend reference --simd plain', /for the wasm backend/],
  ['step --torch nowhere.jsonl', /--torch: .*nowhere\.jsonl/],
];

for (const [args, message] of REFUSED) {
  t.test(`'${args}' is refused`, async (t) => {
    const error = await parseOptions(args.split(' ').filter((each) => each !== '')).catch((reason: unknown) => reason);
    t.type(error, UsageError);
    t.match(error, { message });
  });
}

t.test('options that make sense', async (t) => {
  t.match(await parseOptions(['conv', 'matmul']), {
    names: ['matmul', 'conv'],
    json: false,
    backend: 'wasm',
    simd: 'auto',
    winograd: 'f4',
  });
  t.match(await parseOptions(['all', '--json', '--threads', '2', '--rounds', '5']), {
    names: ['matmul', 'conv', 'step'],
    json: true,
    threads: 2,
    rounds: 5,
  });
  t.equal(await parseOptions(['--help']), 'help');
});

t.test('bad usage: exit code 2, nothing on standard output', (t) => {
  const { status, stdout, stderr } = bench('fft');
  t.equal(status, 2);
  t.equal(stdout, '');
  t.match(stderr, /there is no 'fft'/);
  t.match(stderr, /usage: npm run bench/);
  t.end();
});

t.test('guarantee attacks as many channels as told, and fails if one overflows', (t) => {
  const { status, stdout } = bench('guarantee', '--cases', '500', '--seed', '7', '--json');
  t.equal(status, 0);
  const { cases, passed, refused, failed } = JSON.parse(stdout);
  t.same({ cases, failed, tried: passed + refused }, { cases: 500, failed: 0, tried: 500 });
  t.equal(bench('guarantee', '--cases', 'many').status, 2);
  t.equal(bench('guarantee', '--backend', 'cuda').status, 2);
  t.end();
});

t.test('--json prints one object a line and nothing else', (t) => {
  const { status, stdout, stderr } = bench('matmul', '--json', '--rounds', '1', '--simd', 'plain');
  t.equal(status, 0, stderr);
  const lines = stdout.trimEnd().split('\n');
  t.ok(lines.length >= 2);
  for (const line of lines) {
    const { name, ours, theirs, theirsName, unit, ratio, backend, threads } = JSON.parse(line);
    t.match(name, /^matmul \d+x\d+x\d+$/);
    t.match(theirsName, /^(tfjs-wasm|jax-js)$/);
    t.same({ unit, backend, threads }, { unit: 'ms', backend: 'wasm', threads: 1 });
    t.ok(ours > 0 && theirs > 0 && Math.abs((ratio * ours) / theirs - 1) < 2e-3);
  }
  t.match(stderr, /skipped: matmul 512x512x512 against a2q.js plain SIMD/, 'what cannot be compared is named');
  t.end();
});
