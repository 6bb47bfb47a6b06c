import fc from 'fast-check';
import t from 'tap';
import { l1BallThreshold, projectL1Ball, projectL1Rows } from '../../lib/quant/projection.js';
import { QuantError, ShapeError } from '../../lib/tensor/errors.js';
import { type GoldenArray, readGolden } from '../goldenFile.js';

interface GoldenProjection {
  vectors: { name: string; radius: number; v: GoldenArray; out: GoldenArray }[];
  matrices: { name: string; radius: GoldenArray | number; W: GoldenArray; out: GoldenArray }[];
}

const golden = readGolden<GoldenProjection>('l1proj');
/** Shrinking lists of doubles can take minutes; the first counterexample is small enough to read. */
const RUNS = { numRuns: 500, endOnFailure: true };

const finite = fc.double({ min: -100, max: 100, noNaN: true });
const vector = fc.array(finite, { minLength: 1, maxLength: 20 });
const radius = fc.double({ min: 0, max: 200, noNaN: true });

const l1 = (v: ArrayLike<number>) => Array.from(v).reduce((sum, value) => sum + Math.abs(value), 0);
const squaredDistance = (a: ArrayLike<number>, b: ArrayLike<number>) =>
  Array.from(a).reduce((sum, value, i) => sum + (value - b[i]) ** 2, 0);
const worst = (got: ArrayLike<number>, want: ArrayLike<number>) =>
  Array.from(got).reduce((most, value, i) => Math.max(most, Math.abs(value - want[i])), 0);

/** The projection by bisection for θ instead of sorting. */
function bisected(w: readonly number[], T: number): number[] {
  const shrunk = (theta: number) => w.map((value) => Math.sign(value) * Math.max(Math.abs(value) - theta, 0));
  if (l1(w) <= T) return [...w];
  let [low, high] = [0, Math.max(...w.map(Math.abs))];
  for (let step = 0; step < 200; step++) {
    const middle = (low + high) / 2;
    if (l1(shrunk(middle)) > T) low = middle;
    else high = middle;
  }
  return shrunk(high);
}

t.test('worked by hand', async (t) => {
  t.same(Array.from(projectL1Ball([3, -1, -2], 2.5)), [1.75, 0, -0.75]);
  t.equal(l1BallThreshold([3, -1, -2], 2.5), 1.25);
  t.same(Array.from(projectL1Ball([3, -1, -2], 6)), [3, -1, -2], 'on the sphere');
  t.same(Array.from(projectL1Ball([0.5, -0.25], 1)), [0.5, -0.25], 'inside');
  t.same(Array.from(projectL1Ball([2, 2, -2, 2], 2)), [0.5, 0.5, -0.5, 0.5], 'all equal');
  t.same(Array.from(projectL1Ball([4, 3 + 1 / 1024], 1)), [1 - 1 / 2048, 1 / 2048], 'the second just survives');
  t.same(Array.from(projectL1Ball([4, 3], 1)), [1, 0], 'and just not');
  t.same(Array.from(projectL1Ball([-5], 2)), [-2]);
  t.same(Array.from(projectL1Ball([0, 0], 1)), [0, 0]);
  t.same(Array.from(projectL1Ball([4, -3], 0)), [0, 0], 'the ball of radius 0');
  t.same(Array.from(projectL1Ball([1, 0.5], 1e-20)), [0, 0], 'a radius lost to rounding');
  t.same(Array.from(projectL1Ball([], 1)), []);
});

t.test('the input is left alone and float32 is taken in', async (t) => {
  const w = Float32Array.of(3, -1, -2);
  t.same(Array.from(projectL1Ball(w, 2.5)), [1.75, 0, -0.75]);
  t.same(Array.from(w), [3, -1, -2]);
});

t.test('feasible, idempotent, and equal to the bisection', async () => {
  fc.assert(
    fc.property(vector, radius, (w, T) => {
      const v = projectL1Ball(w, T);
      const again = projectL1Ball(v, T);
      return l1(v) <= T + 1e-10 && worst(again, v) < 1e-10 && worst(v, bisected(w, T)) < 1e-9;
    }),
    RUNS,
  );
});

t.test('optimality conditions: one threshold for all, slack only at 0', async () => {
  fc.assert(
    fc.property(vector, radius, (w, T) => {
      const v = projectL1Ball(w, T);
      const theta = l1BallThreshold(w, T);
      const complementary = theta === 0 || Math.abs(l1(v) - T) < 1e-9;
      return (
        theta >= 0 &&
        complementary &&
        w.every((value, i) => {
          if (v[i] === 0) return Math.abs(value) <= theta;
          return Math.sign(v[i]) === Math.sign(value) && Math.abs(Math.abs(value - v[i]) - theta) < 1e-9;
        })
      );
    }),
    RUNS,
  );
});

t.test('no feasible point is closer: random ones and small steps', async () => {
  fc.assert(
    fc.property(vector, radius, fc.array(finite, { minLength: 20, maxLength: 20 }), finite, (w, T, raw, size) => {
      const v = projectL1Ball(w, T);
      const best = squaredDistance(v, w);
      const into = (z: number[]) => (l1(z) > T ? z.map((value) => (value * T) / l1(z)) : z);
      const random = into(w.map((_, i) => raw[i]));
      const nudged = into(w.map((_, i) => v[i] + (raw[i] * size) / 1e5));
      return [random, nudged].every((z) => squaredDistance(z, w) >= best - 1e-9 * (1 + best));
    }),
    RUNS,
  );
});

t.test('no grid point of the plane’s ball is closer', async (t) => {
  for (const w of [
    [2, 1],
    [-1.3, 0.2],
    [0.9, -0.9],
    [0.1, 3],
  ])
    for (const T of [0.25, 1, 1.75]) {
      const best = squaredDistance(projectL1Ball(w, T), w);
      let closest = Number.POSITIVE_INFINITY;
      for (let a = -200; a <= 200; a++)
        for (let b = -200; b <= 200; b++) {
          const z = [(a * T) / 200, (b * T) / 200];
          if (Math.abs(a) + Math.abs(b) <= 200) closest = Math.min(closest, squaredDistance(z, w));
        }
      t.ok(closest >= best - 1e-12, `w=[${w}] T=${T}: nothing closer`);
      t.ok(closest <= best + 0.05 * T, `w=[${w}] T=${T}: and the grid comes near it`);
    }
});

t.test('rows, with a radius each or one for all', async (t) => {
  const w = [3, -1, -2, 3, -1, -2];
  t.same(Array.from(projectL1Rows(w, 2, [2.5, 6])), [1.75, 0, -0.75, 3, -1, -2]);
  t.same(Array.from(projectL1Rows(w, 2, 2.5)), [1.75, 0, -0.75, 1.75, 0, -0.75]);
  t.same(w, [3, -1, -2, 3, -1, -2]);
});

t.test('bad input is refused', async (t) => {
  t.throws(() => projectL1Ball([1], -1), {
    message: 'projectL1Ball: radius must be a finite number of at least 0; got -1',
  });
  t.throws(() => projectL1Ball([1], Number.NaN), QuantError);
  t.throws(() => projectL1Ball([1, Number.NaN], 1), { message: 'projectL1Ball: weights must be finite numbers' });
  t.throws(() => projectL1Ball([Number.POSITIVE_INFINITY], 1), QuantError);
  t.throws(() => projectL1Rows([1, 2, 3], 2, 1), ShapeError);
  t.throws(() => projectL1Rows([1, 2], 2, [1]), { message: /one radius per row; got 1 for 2/ });
});

t.test('golden projections', { skip: golden.skip }, async (t) => {
  const { vectors, matrices } = golden.content!;
  const close = (got: ArrayLike<number>, want: readonly number[]) =>
    got.length === want.length && worst(got, want) <= 1e-5 * Math.max(1, ...want.map(Math.abs));
  for (const { name, radius, v, out } of vectors) t.ok(close(projectL1Ball(v.data, radius), out.data), name);
  for (const { name, radius, W, out } of matrices) {
    const radii = typeof radius === 'number' ? radius : radius.shape.length === 0 ? radius.data[0] : radius.data;
    t.ok(close(projectL1Rows(W.data, W.shape[0], radii), out.data), name);
  }
});
