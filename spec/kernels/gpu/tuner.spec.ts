import t from 'tap';
import { Content } from '../../../lib/kernels/gpu/content.js';
import { available, type Candidate, Tuner, type VariantTimer } from '../../../lib/kernels/gpu/tuner.js';
import type { Variant } from '../../../lib/kernels/gpu/variants.js';

const LARGE = 2 ** 23;

/** Contents that count how many of them are alive. */
function counter() {
  const alive = { count: 0 };
  const make = (value: unknown) => {
    alive.count++;
    return new Content(value, 1, () => {
      alive.count--;
    });
  };
  return { alive, make };
}

/** A measurement without a device: every variant takes the time told, and gives the number told. */
function fakeTimer(milliseconds: Readonly<Partial<Record<Variant, number>>>) {
  const raced: string[][] = [];
  const timer: VariantTimer = {
    async time(variants: readonly (() => Content)[]) {
      const results = variants.map((run) => run());
      raced.push(results.map(({ value }) => String(value).split(' ')[0]));
      return results.map((content) => ({
        milliseconds: milliseconds[String(content.value).split(' ')[0] as Variant] ?? 1,
        content,
      }));
    },
    differ: async (a: Content, b: Content) => String(a.value).split(' ')[1] !== String(b.value).split(' ')[1],
  };
  return { timer, raced };
}

function candidates(make: (value: unknown) => Content, numbers: Readonly<Partial<Record<Variant, string>>> = {}) {
  const one = (variant: Variant): Candidate => ({
    variant,
    run: () => make(`${variant} ${numbers[variant] ?? 'same'}`),
  });
  return available(one('plain'), one('row'), one('square'), { variant: 'column', run: null });
}

const taken = (content: Content): string => {
  const variant = String(content.value).split(' ')[0];
  content.release();
  return variant;
};

t.test('the fastest is taken from its measurement on, and nothing is measured twice', async (t) => {
  const { alive, make } = counter();
  const { timer, raced } = fakeTimer({ row: 3, square: 2, plain: 1 });
  const tuner = new Tuner(timer, 'measured');
  const input = make('input');
  const run = () => taken(tuner.run('op', LARGE, [input], candidates(make)));
  t.equal(run(), 'row', 'the preferred one, while measuring');
  t.same(tuner.choices, [{ op: 'op', variant: 'row', times: null }]);
  input.release();
  t.ok(alive.count > 0, 'inputs are held for the measurement');
  await tuner.settled();
  t.same(tuner.choices, [{ op: 'op', variant: 'square', times: { row: 3, square: 2 } }]);
  t.equal(run(), 'square');
  t.same(raced, [['row', 'square']], 'once, without the plain one, which is slow at that size');
  t.equal(alive.count, 0, 'everything is freed');
});

t.test('small ops may be best plain; trifles always are', async (t) => {
  const { make } = counter();
  const { timer, raced } = fakeTimer({ row: 3, square: 2, plain: 1 });
  const tuner = new Tuner(timer, 'measured');
  t.equal(taken(tuner.run('small', 2 ** 20, [], candidates(make))), 'row');
  await tuner.settled();
  t.equal(taken(tuner.run('small', 2 ** 20, [], candidates(make))), 'plain');
  t.equal(taken(tuner.run('trifle', 100, [], candidates(make))), 'plain');
  t.equal(raced.length, 1);
});

t.test('where bits differ the preferred one stays: numbers never depend on what is fastest', async (t) => {
  const { alive, make } = counter();
  const tuner = new Tuner(fakeTimer({ row: 3, square: 2 }).timer, 'measured');
  const run = () => taken(tuner.run('op', LARGE, [], candidates(make, { square: 'other' })));
  run();
  await tuner.settled();
  t.equal(run(), 'row');
  t.match(tuner.choices[0], { variant: 'row', note: 'square differs in last bits here, so row stays' });
  t.equal(alive.count, 0);
});

t.test('a failed measurement is said, and the preferred one stays', async (t) => {
  const { alive, make } = counter();
  const { timer: sound } = fakeTimer({});
  const timer: VariantTimer = { ...sound, time: () => Promise.reject(new Error('no room')) };
  const tuner = new Tuner(timer, 'measured');
  const input = make('input');
  const run = () => taken(tuner.run('op', LARGE, [input], candidates(make)));
  run();
  await tuner.settled();
  t.equal(run(), 'row');
  t.match(tuner.choices[0], { variant: 'row', times: null, note: 'not measured: no room' });
  input.release();
  t.equal(alive.count, 0);
});

t.test('a variant can be demanded; ops that lack it run plain', async (t) => {
  const { make } = counter();
  const { timer, raced } = fakeTimer({});
  for (const [policy, want] of [
    ['plain', 'plain'],
    ['square', 'square'],
    ['column', 'plain'],
    ['channels', 'plain'],
  ] as const) {
    const tuner = new Tuner(timer, policy);
    t.equal(taken(tuner.run('op', LARGE, [], candidates(make))), want);
    await tuner.settled();
  }
  t.same(raced, []);
});
