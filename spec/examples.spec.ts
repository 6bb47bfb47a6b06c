import { execFile } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import t from 'tap';
import { claim } from '../examples/story.js';

t.setTimeout(240_000);
t.jobs = 2;

const folder = fileURLToPath(new URL('../examples/', import.meta.url));
const run = promisify(execFile);

/** What each lesson must have said, besides ending with exit code 0. */
const KEY_LINES: Readonly<Record<string, RegExp[]>> = {
  '08-leave-the-trainer': [
    /✓ every sum of its 2 hidden layers fits 12 bits/,
    /✓ \d{5,} integers, and not one differs/,
    /✓ wasm, \w+ SIMD, 2 threads: the model’s own logits/,
  ],
  '07-train-a2q-plus': [
    /✓ A2Q\+ is the same on 9 bits: nothing overflowed/,
    /✓ QAT overflows and loses at least 20 points/,
    /✓ no input of 4 bits can overflow a 9-bit accumulator of the A2Q\+ network/,
  ],
  '06-custom-quantizer': [
    /✓ training through the quantizer is what makes it work/,
    /✓ and shifts alone give the same sums/,
  ],
  '01-gradients': [
    /∂L\/∂w +-0\.2320353400\d+ +-0\.2320353400\d+ +-0\.2320353400\d+/,
    /✓ d\(x⁷\)\/dx at 1\.1 is 12\.400927/,
    /✓ a wrong one is caught/,
  ],
  '02-straight-through': [
    /✓ with the true derivative no weight has moved/,
    /✓ training through the rounding beats rounding afterwards/,
  ],
  '03-weight-normalization': [/✓ the gradient is orthogonal to v/, /✓ trunc keeps every channel under the cap/],
  '04-two-bounds': [
    /2047\.9 +4368\.9 +2\.133/,
    /✓ centred: ‖q‖₁ = 256 is over A2Q's 127\.9 and under A2Q\+'s 272\.9, and 12 bits are enough/,
    /✓ with the proved P it attains the extreme exactly/,
    /✓ with one bit less it wraps/,
  ],
  '05-projection': [/projected +1\.75 {2}0\.00 {2}-0\.75 +2\.5 +2\.031/, /✓ EP-init keeps at least as much at every P/],
};

t.test('every lesson is looked at', async (t) => {
  const lessons = readdirSync(folder).filter((file) => /^\d\d-.*\.js$/.test(file));
  t.strictSame(lessons.map((file) => file.replace(/\.js$/, '')).sort(), Object.keys(KEY_LINES).sort());
});

t.test('a claim that does not hold is an error', async (t) => {
  t.throws(() => claim(false, 'two is three'), { message: 'this claim does not hold: two is three' });
});

for (const [lesson, lines] of Object.entries(KEY_LINES)) {
  t.test(lesson, { buffered: true }, async (t) => {
    const { stdout, stderr } = await run(process.execPath, [`${folder}${lesson}.js`]);
    t.equal(stderr, '');
    for (const line of lines) t.match(stdout, line);
  });
}

t.test('the runner', async (t) => {
  const one = await run(process.execPath, [`${folder}main.js`, '4']);
  t.match(one.stdout, '✓ as the papers have them');
  await t.rejects(run(process.execPath, [`${folder}main.js`, '99']), { code: 2, stderr: /There is no lesson 99/ });
});
