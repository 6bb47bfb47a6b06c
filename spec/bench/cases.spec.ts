import t from 'tap';
import { DisagreementError, runCase } from '../../bench/cases.js';
import { type Engine, relativeDifference } from '../../bench/engine.js';
import { ourEngine } from '../../bench/ours.js';
import { loadPeer, PEER_NAMES } from '../../bench/peers/index.js';
import { permuted } from '../../bench/peers/permute.js';
import { type ConvProblem, convProblem, matmulProblem } from '../../bench/problem.js';
import { Random } from '../../lib/tensor/random.js';

const COUNTS = { warmup: 1, rounds: 2 };

t.test('difference relative to the root mean square', (t) => {
  t.equal(relativeDifference(Float32Array.of(3, 4, 5), Float32Array.of(3, 4, 5)), 0);
  t.equal(relativeDifference(Float32Array.of(1, 1.5), Float32Array.of(1, -1)), 2.5);
  t.equal(relativeDifference(Float32Array.of(1, Number.NaN), Float32Array.of(1, 2)), Number.POSITIVE_INFINITY);
  t.equal(relativeDifference(Float32Array.of(1), Float32Array.of(1, 2)), Number.POSITIVE_INFINITY);
  t.end();
});

t.test('axes in another order', (t) => {
  t.same([...permuted(Float32Array.of(1, 2, 3, 4, 5, 6), [2, 3], [1, 0])], [1, 4, 2, 5, 3, 6]);
  const cube = Float32Array.from({ length: 24 }, (_, i) => i);
  // out[k][i][j] = in[i][j][k] for extents 2, 3, 4
  const turned = permuted(cube, [2, 3, 4], [2, 0, 1]);
  t.equal(turned[3 * 6 + 1 * 3 + 2], 1 * 12 + 2 * 4 + 3);
  t.equal(turned[1 * 6 + 0 * 3 + 1], 0 * 12 + 1 * 4 + 1);
  t.end();
});

t.test('problems say what they cost and are called', (t) => {
  t.equal(matmulProblem([2, 3, 4], new Random(1)).flops, 48);
  const shape = { batch: 2, channels: 3, side: 8, outputs: 5, kernel: 3 };
  const strided = convProblem({ ...shape, stride: 2 }, false, new Random(1));
  t.match(strided, { name: 'conv 3x3/2 2x3x8x8 -> 5 forward', outputSide: 4, flops: 2 * 2 * 5 * 16 * 27 });
  const both = convProblem(shape, true, new Random(1));
  t.match(both, { name: 'conv 3x3 2x3x8x8 -> 5 forward+backward', flops: 3 * 2 * 2 * 5 * 64 * 27 });
  t.end();
});

const NARROW = { batch: 2, channels: 3, side: 7, outputs: 5, kernel: 3 };
const PROBLEMS = [
  matmulProblem([5, 7, 3], new Random(1)),
  convProblem(NARROW, false, new Random(2)),
  convProblem({ ...NARROW, kernel: 5, stride: 2 }, false, new Random(3)),
  convProblem({ ...NARROW, outputs: 4 }, true, new Random(4)),
];

for (const name of PEER_NAMES) {
  const peer = await loadPeer(name).catch((error: unknown) => String(error));
  const skip = typeof peer === 'string' ? `does not start: ${peer}` : false;
  t.test(`${name} computes what we compute`, { skip }, async (t) => {
    if (typeof peer === 'string') return;
    const ours = await ourEngine({ backend: 'wasm', threads: 1, simd: 'plain', winograd: 'f4' });
    for (const problem of PROBLEMS) {
      if (name === 'tfjs-wasm' && problem.kind === 'conv' && problem.gradients) {
        await t.rejects(
          runCase(ours, peer, problem, COUNTS),
          /Conv2DBackpropFilter/,
          'has no weight gradient, and says so',
        );
        continue;
      }
      const result = await runCase(ours, peer, problem, COUNTS);
      t.match(result, {
        name: problem.name,
        theirsName: name,
        unit: 'ms',
        backend: 'wasm',
        threads: 1,
        simd: 'plain',
        winograd: 'f4',
      });
      t.ok(result.ours > 0 && result.theirs > 0, 'times');
      t.ok(Math.abs((result.ratio * result.ours) / result.theirs - 1) < 2e-3, 'ratio is theirs over ours');
      t.ok((result.difference ?? 1) <= 1e-5, 'same numbers');
    }
  });
}

t.test('our reference backend takes part too', async (t) => {
  const reference = await ourEngine({ backend: 'reference', threads: 1, simd: 'auto', winograd: 'f4' });
  const wasm = await ourEngine({ backend: 'wasm', threads: 1, simd: 'plain', winograd: 'f4' });
  for (const problem of PROBLEMS) {
    const result = await runCase(wasm, { ...reference, name: 'reference' }, problem, COUNTS);
    t.match(result, { theirsName: 'reference', backend: 'wasm' });
  }
});

t.test('wrong results are not timed', async (t) => {
  const ours = await ourEngine({ backend: 'wasm', threads: 1, simd: 'plain', winograd: 'f4' });
  const problem = PROBLEMS[3] as ConvProblem;
  let runs = 0;
  const wrong: Engine = {
    name: 'wrong',
    async enter() {
      const entry = await ours.enter(problem);
      const run = async () => {
        runs++;
        const [y, dx, dw] = await entry.run();
        return [y, dx, dw.map((value, i) => (i === 17 ? value * 1.01 : value))];
      };
      return { ...entry, run };
    },
  };
  await t.rejects(runCase(ours, wrong, problem, COUNTS), DisagreementError);
  t.equal(runs, 1, 'it ran to be checked, and never again');
});
