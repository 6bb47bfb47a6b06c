import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { withDriver } from '../kernels/gpu/driver.js';
import { a2q, words } from './a2q.js';

t.setTimeout(600_000);

// Programs started from here find the software GPU that comes with Chromium.
Object.assign(process.env, withDriver());

/** Two epochs of the glyph CNN under A2Q+, on statistics of activations first, then with learned thresholds. */
const RUN = `train --model cnn --dataset glyphs --method a2q+ --weight-bits 4 --act-bits 4 --acc-bits 12
  --train-images 400 --batch-size 16 --seed 1 --epochs 2 --limit-batches 10 --stats-steps 8`.replaceAll('\n', ' ');

/**
 * How far the losses of an epoch may be from those of wasm, relative. Sums in another order differ by 1e-7; sooner or
 * later that moves a number across the edge of a rounding, and from that step on two runs are neighbours, not twins.
 */
const TOLERANCE = [1e-4, 2e-2] as const;

interface Line {
  readonly loss: number;
  readonly penalty: number;
  readonly testLoss: number;
  readonly backend: string;
}

async function curve(folder: string, backend: string): Promise<Line[] | string> {
  const threads = backend === 'wasm' ? ['--threads', '1'] : [];
  const { code, stderr } = await a2q([...words(RUN), '--backend', backend, ...threads, '--out', folder]);
  if (code !== 0) return stderr;
  const log = await readFile(join(folder, 'log.jsonl'), 'utf8');
  return log
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);
}

const folder = t.testdir({});
const want = (await curve(join(folder, 'wasm'), 'wasm')) as Line[];
t.equal(want.length, 2);
t.ok(want[1].loss < want[0].loss, 'it learns');

for (const backend of ['gpu:webasm', 'gpu:webgpu']) {
  const got = await curve(join(folder, backend.replace(':', '-')), backend);
  const missing = typeof got === 'string' && /no adapter answers|has no WebGPU/.test(got);
  await t.test(`${backend} trains as wasm does`, { skip: missing && `${got}` }, (t) => {
    if (typeof got === 'string') throw new Error(got);
    for (const [epoch, line] of got.entries()) {
      t.match(line.backend, new RegExp(`^${backend}`), 'what ran is in the log');
      for (const key of ['loss', 'penalty', 'testLoss'] as const) {
        const error = Math.abs(line[key] / want[epoch][key] - 1);
        t.ok(error < TOLERANCE[epoch], `${key} of epoch ${epoch}: ${line[key]}, off by ${error.toExponential(1)}`);
      }
    }
    t.end();
  });
}
