import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { REAL_DATA_DIR, skipWithout } from '../data/realData.js';
import { a2q, a2qAll, words } from './a2q.js';

const TINY = '--model cnn --dataset glyphs --train-images 64 --batch-size 32 --epochs 2 --stats-steps 2 --threads 1';

interface Layer {
  readonly name: string;
  readonly role: string;
  readonly sparsity: number;
  readonly accumulator: { readonly safeBits: number; readonly budget: number | null; readonly norms: number[] } | null;
}

/** A page without its pictures, whose bytes are of any letters. */
async function pageText(path: string): Promise<string> {
  return (await readFile(path, 'utf8')).replaceAll(/base64,[^"]*/g, 'base64,');
}

t.test('the report of a run', async (t) => {
  const folder = t.testdir();
  const [bounded, float] = [join(folder, 'bounded'), join(folder, 'float')];
  const [trained, plain, drawn, drawnFloat] = await a2qAll([
    [...words(`train ${TINY} --method a2q+ --acc-bits 9 --out`), bounded],
    [...words(`train ${TINY} --method float --val-share 0.25 --out`), float],
    [...words('report --threads 1 --limit-batches 2 --json --run'), bounded],
    [...words('report --threads 1 --no-images --json --last --run'), float, '--out', join(folder, 'drawn.html')],
  ]);
  t.same([trained.code, plain.code, drawn.code, drawnFloat.code], [0, 0, 0, 0], drawn.stderr + drawnFloat.stderr);

  const { report, answers, layers, log } = JSON.parse(drawn.stdout);
  t.equal(report, join(bounded, 'report.html'));
  t.equal(log.length, 2);
  t.equal(answers.samples, 64);
  const counts = (answers.confusion as number[][]).flat();
  t.equal(
    counts.reduce((sum, count) => sum + count, 0),
    64,
    'every image is counted once',
  );
  const right = (answers.confusion as number[][]).reduce((sum, row, i) => sum + row[i], 0);
  t.equal(right / 64, answers.metric, 'the diagonal is the accuracy');
  // The test images are ordered: sample i shows class i mod 10.
  t.same(
    (answers.confusion as number[][]).map((row) => row.reduce((sum, count) => sum + count, 0)),
    [7, 7, 7, 7, 6, 6, 6, 6, 6, 6],
  );
  for (const { role, accumulator } of layers as Layer[]) {
    if (role !== 'hidden' || accumulator === null) continue;
    t.ok(accumulator.safeBits <= 9);
    // T₊ = (2^9 − 2) / (2^4 − 1).
    t.equal(accumulator.budget, 34);
    t.ok(accumulator.norms.every((norm) => norm <= 34));
  }

  const html = await pageText(report);
  t.equal(html.match(/<svg /g)?.length, 2 * 5, 'three curves, norms and histograms, for wide screens and for phones');
  t.notMatch(html, /<script|<link|url\(|https?:\/\/(?!www\.w3\.org)/, 'nothing is loaded');
  t.notMatch(html, /undefined|NaN|\[object/);
  t.match(html, 'No input whatever overflows the 9-bit accumulators');
  t.match(html, 'src="data:image/png;base64,', 'mistakes are shown');
  t.match(html, '--method a2q+ --weight-bits 4 --act-bits 4 --acc-bits 9');

  const page = await pageText(join(folder, 'drawn.html'));
  t.equal(JSON.parse(drawnFloat.stdout).answers, null);
  t.equal(page.match(/<svg /g)?.length, 2 * 4, 'floats ask nothing of accumulators');
  t.notMatch(page, /undefined|NaN|\[object|safe P|<img/);
  t.match(page, /on the validation images, after epoch 2 of 2/);
  t.match(page, 'Share of validation images told right');
  t.match(page, 'Validation images are 25.0 % of the training images');
  t.notMatch(page, /test images told right|>test</, 'curves are of validation images');
  t.match(html, 'Share of test images told right, after each epoch.');
  t.match(html, `--out ${bounded}`);
});

t.test('what makes no sense is refused before work', async (t) => {
  const folder = t.testdir({});
  const [none, both, missing] = await a2qAll([
    ['report'],
    ['report', '--run', folder, '--no-images', '--limit-batches', '1'],
    ['report', '--run', folder],
  ]);
  t.match(none, { code: 2, stderr: /name either --run FOLDER or --checkpoint FILE/ });
  t.match(both, { code: 2, stderr: /--limit-batches has no meaning with --no-images/ });
  t.match(missing, { code: 2, stderr: /holds no run/ });
});

t.test('up-scaled pictures stand beside the originals', { skip: skipWithout('bsd300') }, async (t) => {
  const run = join(t.testdir(), 'espcn');
  const flags = '--model espcn --dataset bsd300 --method qat --epochs 1 --train-images 2 --limit-batches 1';
  const dataDir = REAL_DATA_DIR;
  const trained = await a2q([...words(`train ${flags} --batch-size 1 --stats-steps 0 --out`), run], { dataDir });
  t.equal(trained.code, 0, trained.stderr);
  const drawn = await a2q([...words('report --limit-batches 3 --json --run'), run], { dataDir });
  t.equal(drawn.code, 0, drawn.stderr);
  const { answers } = JSON.parse(drawn.stdout);
  t.equal(answers.pictures.length, 3);
  const mean = answers.pictures.reduce((sum: number, { psnr }: { psnr: number }) => sum + psnr / 3, 0);
  t.ok(Math.abs(mean - answers.metric) < 1e-9, 'the metric is the mean of the pictures');
  const html = await pageText(join(run, 'report.html'));
  t.equal(html.match(/<img /g)?.length, 3 * 4);
  t.notMatch(html, /undefined|NaN|\[object/);
});
