import t, { type Test } from 'tap';
import { table } from '../../lib/autograd/table.js';
import type { FastPaths, Vjp } from '../../lib/kernels/fast.js';
import type { ConvGeometry } from '../../lib/kernels/geometry.js';
import { createReferenceBackend } from '../../lib/kernels/reference/index.js';
import * as value from '../../lib/kernels/value.js';
import { scope } from '../../lib/tensor/storage.js';
import type { View } from '../../lib/tensor/view.js';
import { TOLERANCES } from '../tolerances.js';
import { fastPathConformance } from './conformance/fastPaths.js';
import { composed } from './conformance/rows.js';
import { Subject } from './conformance/subject.js';

/** What the loop over fast paths finds wrong with these, on a backend that else has none. */
async function problems(fast: FastPaths): Promise<string[]> {
  const found: string[] = [];
  const recorder = {
    test: (_: string, body: (t: unknown) => unknown) => body(recorder),
    fail: (message: string) => found.push(message),
    ok: (condition: unknown, message: string) => condition || found.push(message),
    equal: (got: unknown, want: unknown, message: string) => got === want || found.push(message),
  };
  const backend = Object.assign(createReferenceBackend(), { fast });
  await fastPathConformance(recorder as unknown as Test, new Subject(backend, 'float32'), TOLERANCES.float32);
  return found;
}

const { conv2d, fakeQuantize, powerScale, upsampleNearest } = table;

const slopeOf = (x: View, divisor: number) => value.div(value.mul(value.unary('exp2', x), Math.LN2), divisor);

const [, toWeights] = conv2d.vjp as readonly Vjp<ConvGeometry>[];

t.test('a fast path that is its composition passes, also where it declines some calls', async (t) => {
  t.same(await problems({}), [], 'none at all');
  const right: FastPaths = {
    powerScale: {
      value: ([x], attrs) => (x.shape.length > 1 ? null : scope(() => powerScale.value([x], attrs))),
      vjp: [(g, s) => scope(() => value.mul(g, slopeOf(s.input(0), s.attrs.divisor)))],
    },
    upsampleNearest: { value: ([x], attrs) => scope(() => upsampleNearest.value([x], attrs)) },
    sgd: () => null,
  };
  t.same(await problems(right), []);
});

t.test('each way to be wrong is found', async (t) => {
  const wrong: Readonly<Record<string, readonly [fast: FastPaths, problem: RegExp]>> = {
    'other numbers': [
      { fakeQuantize: { value: (x, grid) => scope(() => value.mul(fakeQuantize.value(x, grid) as View, 1.01)) } },
      /point 0, contiguous: 0: element \d+ of 15: got/,
    ],
    'another gradient': [
      { powerScale: { vjp: [(g, s) => scope(() => value.mul(g, value.unary('exp2', s.input(0))))] } },
      /gradient of its own: 0: element 0 of 6: got/,
    ],
    'another shape': [{ upsampleNearest: { value: ([x]) => copy(x) } }, /shape is \[2,2,2,3\]/],
    'a leak': [
      { powerScale: { value: ([x], a) => powerScale.value([x], a) } },
      /5 blocks stay allocated for 1 results/,
    ],
    'a value always declined': [{ powerScale: { value: () => null } }, /declines the value of every sample/],
    'a gradient always declined': [{ powerScale: { vjp: [() => null] } }, /declines the gradient of every sample/],
    'one of two gradients always declined': [
      { conv2d: { vjp: [() => null, (g, s) => scope(() => toWeights(g, s))] } },
      /declines the gradient of every sample/,
    ],
    'a joint one always declined': [{ fakeQuantize: { vjp: () => null } }, /declines the gradient of every sample/],
    'no such row': [{ teleport: { value: () => null } } as FastPaths, /there is no row of this name/],
    'a row not to be sped up': [{ relu: { value: () => null } } as FastPaths, /there is no row of this name/],
  };
  for (const [what, [fast, problem]] of Object.entries(wrong)) {
    const found = await problems(fast);
    t.ok(
      found.some((each) => problem.test(each)),
      what,
      { found },
    );
  }
  await t.rejects(
    problems({ powerScale: { value: ([x]) => x } }),
    /this tensor was freed/,
    'memory that is not its own',
  );
  const secretive: FastPaths = { powerScale: { vjp: [(_, s) => s.output()] } };
  await t.rejects(problems(secretive), /powerScale: the rule reads output, which is not saved/);
});

t.test('compositions are run without any fast path, which is there again afterwards', (t) => {
  const fast: FastPaths = { fakeQuantize: { value: ([x]) => x } };
  const backend = Object.assign(createReferenceBackend(), { fast });
  t.equal(
    composed(backend, () => backend.fast),
    undefined,
  );
  t.equal(backend.fast, fast);
  t.throws(() =>
    composed(backend, () => {
      throw new Error('on purpose');
    }),
  );
  t.equal(backend.fast, fast, 'also after an error');
  t.end();
});

function copy(x: View): View {
  return value.backendOf(x).copy(x);
}
